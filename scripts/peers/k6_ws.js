// Each user holds a WebSocket and sends a message when the last one has come back, after a pause.
import ws from 'k6/ws';
import { Counter } from 'k6/metrics';

const echoes = new Counter('echoes');
const seconds = Number(__ENV.SECONDS);
const pause = Number(__ENV.PAUSE || 0);

export const options = {
  scenarios: {
    held: { executor: 'per-vu-iterations', vus: Number(__ENV.VUS), iterations: 1, maxDuration: `${seconds + 60}s` },
  },
};

export default function () {
  ws.connect(__ENV.URL, null, (socket) => {
    let seq = 0;
    const send = () => socket.send(`{"type":"echo","seq":${(seq += 1)},"timestamp":${Date.now()}}`);
    socket.on('open', send);
    socket.on('message', () => {
      echoes.add(1);
      if (pause) socket.setTimeout(send, pause * 1000);
      else send();
    });
    socket.setTimeout(() => socket.close(), seconds * 1000);
  });
}

export const handleSummary = (data) => ({ stdout: JSON.stringify(data.metrics) });
