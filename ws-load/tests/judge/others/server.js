// Node's `ws` as a server. Prints its port, and what it counted when its input ends. Takes a token as its argument.
const { WebSocketServer } = require('ws');
const token = process.argv[1];
const seen = {
  opened: 0, open: 0, refused: 0, offered: 0, compressed: 0, chat: 0,
  echoes: 0, pieces: 0, pings: 0, pushes: 0, broadcasts: 0, relayed: 0, closed: {},
};
const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (all) => [...all][0],
  verifyClient: ({ req }) => {
    const may = !token || req.headers.authorization === `Bearer ${token}`;
    if (!may) seen.refused++;
    return may;
  },
});
server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket, request) => {
  seen.opened++; seen.open++;
  seen.offered += request.headers['sec-websocket-extensions'] ? 1 : 0;
  seen.compressed += socket.extensions ? 1 : 0;
  seen.chat += socket.protocol === 'chat' ? 1 : 0;
  let seq = 0;
  const timer = setInterval(() => {
    if (socket.readyState !== 1) return;
    socket.send(JSON.stringify({ type: 'push', seq: seq++, timestamp: Date.now() })); seen.pushes++;
  }, 100);
  socket.on('message', (data, binary) => {
    const text = data.toString();
    if (text.startsWith('close:')) {
      const [, code, reason] = text.split(':');
      return socket.close(Number(code), reason);
    }
    if (text.startsWith('{"type":"broadcast"')) {
      seen.broadcasts++;
      for (const other of server.clients) {
        if (other !== socket && other.readyState === 1) { other.send(data, { binary }); seen.relayed++; }
      }
      return;
    }
    seen.echoes++;
    if (seen.echoes % 3 === 0) {
      seen.pieces++;
      socket.send(data.subarray(0, 5), { binary, fin: false });
      socket.send(data.subarray(5), { binary, fin: true });
    } else {
      socket.send(data, { binary });
    }
  });
  socket.on('ping', () => seen.pings++);
  socket.on('close', (code) => {
    clearInterval(timer);
    seen.open--;
    seen.closed[code] = (seen.closed[code] ?? 0) + 1;
  });
});
process.stdin.on('end', () => { console.log(JSON.stringify(seen)); process.exit(0); }).resume();
