// Answers after scripted delays, for comparisons: prints its port. Of the answers to /last every other one is a failure, the
// rest is not what was asked for.
const delays = { "/quick": 20, "/slow": 400, "/last": 20 };
let lasts = 0;
const server = require("http").createServer((request, response) => {
  const isLast = request.url === "/last";
  const status = isLast && lasts++ % 2 === 0 ? 500 : 200;
  const answer = () => {
    response.writeHead(status, { "Content-Type": "text/plain" });
    response.end(isLast ? "something else" : "as expected");
  };
  setTimeout(answer, delays[request.url]);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
