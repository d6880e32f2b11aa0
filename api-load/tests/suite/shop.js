// The shop again, with cookies, redirects, compressed answers and uploads: `node shop.js h1|h2|tls [KEY CERT]` prints its port,
// and tells under /stats what it did.
const crypto = require("crypto");
const fs = require("fs");
const zlib = require("zlib");

const [mode, key, cert] = process.argv.slice(2);
const stats = { seen: {}, users: {}, keys: 0, versions: {}, bodies: {}, encodings: {} };
const [keys, orders] = [new Set(), {}];
const count = (table, what) => (table[what] = (table[what] || 0) + 1);

function uploaded(request, body) {
  const boundary = /boundary=(.*)$/.exec(request.headers["content-type"] || "");
  const text = body.toString("latin1");
  const same = boundary ? text.replaceAll(boundary[1], "BOUNDARY") : text;
  count(stats.bodies, crypto.createHash("sha256").update(same, "latin1").digest("hex"));
}

function answer(request, body, reply) {
  const url = new URL(request.url, "http://shop");
  const [, first, id] = url.pathname.split("/");
  if (first === "stats") return reply(200, { ...stats, keys: keys.size });
  count(stats.seen, `${request.method} /${first}`);
  count(stats.versions, request.httpVersion);
  count(stats.encodings, request.headers["accept-encoding"] || "none");
  const cookies = request.headers.cookie || "";
  const user = /sid=(\w+)/.exec(cookies)?.[1];
  switch (first) {
    case "login": {
      const { user } = JSON.parse(body);
      count(stats.users, user);
      return reply(201, { access_token: `t-${user}` }, { etag: '"v1"', "set-cookie": [`sid=${user}; Path=/`, "x=y; Path=/x"] });
    }
    case "open": return reply(200, { cookies });
    case "old": return reply(302, {}, { location: "/new?a=b", "set-cookie": ["hop=1; Path=/"] });
    case "away": return reply(302, {}, { location: url.searchParams.get("to") });
    case "new": return reply(200, { at: url.search, hop: cookies.includes("hop=1") });
    case "zipped": return reply(200, { zipped: (request.headers["accept-encoding"] || "").includes("gzip") });
    case "upload": uploaded(request, body); return reply(201, {});
    case "all": return reply(200, {});
    case "basket":
      if (!user) return reply(401, { error: "no cookie" });
      return reply(200, { user });
  }
  if (!(request.headers.authorization || "").startsWith("Bearer t-")) {
    count(stats.seen, "unauthorised");
    return reply(401, { error: "who are you?" });
  }
  switch (first) {
    case "products": return reply(200, { products: [0, 1, 2, 3, 4].map((n) => ({ id: `p${n}` })) });
    case "orders": {
      if (request.method === "GET") return reply(200, { status: ++orders[id] >= 3 ? "done" : "pending" });
      const order = JSON.parse(body);
      const made = Object.keys(orders).length + 1;
      keys.add(order.key);
      orders[made] = 0;
      return reply(201, { id: made, product: order.product });
    }
    default: return reply(200, {});
  }
}

function serve(request, response) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    answer(request, Buffer.concat(pieces), (status, json, headers = {}) => {
      let text = Buffer.from(JSON.stringify(json));
      if (json.zipped) {
        text = zlib.gzipSync(text);
        headers["content-encoding"] = "gzip";
      }
      response.writeHead(status, { "content-type": "application/json", "content-length": text.length, ...headers });
      response.end(text);
    });
  });
}

const secure = () => ({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) });
const server = {
  h1: () => require("http").createServer(serve),
  h2: () => require("http2").createServer(serve),
  tls: () => require("http2").createSecureServer(secure(), serve),
}[mode]();
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
