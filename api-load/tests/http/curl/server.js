// What servers in Node.js do: chunks, codings, cookies, redirects. Prints its port for both families.
'use strict';
const http = require('http');
const zlib = require('zlib');
const text = 'All work and no play makes a dull load test. '.repeat(400);

const paths = {
  '/plain': (_, answer) => answer.end('plain'),
  '/chunked': (_, answer) => { answer.write('one '); answer.write('two '); answer.end('three'); },
  '/close': (_, answer) => { answer.setHeader('Connection', 'close'); answer.end('bye'); },
  '/204': (_, answer) => { answer.statusCode = 204; answer.end(); },
  '/304': (_, answer) => { answer.statusCode = 304; answer.end(); },
  '/404': (_, answer) => { answer.statusCode = 404; answer.end('not here'); },
  '/gzip': (_, answer) => { answer.setHeader('Content-Encoding', 'gzip'); answer.end(zlib.gzipSync(text)); },
  '/deflate': (_, answer) => { answer.setHeader('Content-Encoding', 'deflate'); answer.end(zlib.deflateSync(text)); },
  '/raw': (_, answer) => { answer.setHeader('Content-Encoding', 'deflate'); answer.end(zlib.deflateRawSync(text)); },
  '/br': (_, answer) => { answer.setHeader('Content-Encoding', 'br'); answer.end(zlib.brotliCompressSync(text)); },
  '/echo': (request, answer) => {
    let body = '';
    request.on('data', (piece) => { body += piece; });
    request.on('end', () => {
      const { cookie, authorization, 'content-type': type, accept } = request.headers;
      answer.end(JSON.stringify({ method: request.method, url: request.url, cookie, authorization, type, accept, body }));
    });
  },
  '/cookies': (_, answer) => {
    answer.setHeader('Set-Cookie', ['id=7; Path=/; HttpOnly', 'deep=x; Path=/deep/er', 'gone=1; Max-Age=0']);
    answer.writeHead(302, { Location: '/echo?after=cookies' });
    answer.end('elsewhere');
  },
};
for (const status of [301, 302, 303, 307, 308]) {
  paths[`/${status}`] = (_, answer) => {
    answer.writeHead(status, { Location: '../echo?was=' + status });
    answer.end('elsewhere');
  };
  paths[`/${status}/close`] = (_, answer) => {
    answer.writeHead(status, { Location: `http://${_.headers.host}/${status}`, Connection: 'close' });
    answer.end();
  };
}

const server = http.createServer((request, answer) => {
  const serve = paths[request.url.split('?')[0]] || paths['/404'];
  serve(request, answer);
});
server.listen(0, '::', () => console.log(server.address().port));
