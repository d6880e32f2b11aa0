// An HTTP/2 server of Node that keeps its own record: `node server.js PORT [KEY CERT]` prints its port, and what it counted
// when its input ends. The path says what is answered, and /NAME/EVERY misbehaves with every so-manieth request only.
const http2 = require('http2');
const fs = require('fs');

const [port, key, cert] = process.argv.slice(2);
const counts = { requests: 0, ok: 0, bodies: 0, length: 0, paths: 0, cancelled: 0, connections: 0, streams: 0 };
// Tests reset more streams than Node takes for peaceful, and long bodies need more memory than it allows.
const options = { streamResetBurst: 10000, streamResetRate: 10000, maxSessionMemory: 1000 };
const server = key
  ? http2.createSecureServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert), ...options })
  : http2.createServer(options);

server.on('session', (session) => {
  session.open = 0;
  // The connection that only asks whether this is HTTP/2 has no stream.
  session.once('stream', () => counts.connections++);
  session.on('error', () => {});
});

server.on('stream', (stream, headers) => {
  const n = ++counts.requests;
  const { session } = stream;
  const [, what, every = '1'] = headers[':path'].split('/');
  const is_turn = n % Number(every) === 0;
  counts.streams = Math.max(counts.streams, ++session.open);
  counts.paths += Number(headers['x-number'] ?? 0);
  stream.on('error', () => {});
  stream.on('close', () => {
    session.open--;
    if (stream.rstCode === http2.constants.NGHTTP2_CANCEL) counts.cancelled++;
  });
  let body = 0;
  stream.on('data', (data) => (body += data.length));
  stream.on('end', () => {
    counts.bodies += body;
    counts.length += Number(headers['content-length'] ?? 0);
    const answer = (status, text) => {
      counts.ok++;
      stream.respond({ ':status': status, 'content-type': 'text/plain' });
      stream.end(text);
    };
    if (!is_turn) return answer(200, 'hello');
    switch (what) {
      case 'never': return;
      case 'goaway': session.goaway(http2.constants.NGHTTP2_NO_ERROR); return answer(200, 'hello');
      case 'destroy': return session.destroy();
      case 'missing': return answer(404, 'no');
      case 'busy': return answer(429, 'no');
      case 'big': return answer(200, 'x'.repeat(3_000_000));
      default: return answer(200, 'hello');
    }
  });
});

server.listen(Number(port), '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => { console.log(JSON.stringify(counts)); process.exit(0); }).resume();
