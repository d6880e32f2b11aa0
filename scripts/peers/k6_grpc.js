// The unary call of the reference server; k6 has a connection for each user.
import grpc from 'k6/net/grpc';

export const options = { vus: Number(__ENV.VUS), duration: `${__ENV.SECONDS}s` };

const client = new grpc.Client();
client.load([__ENV.PROTO], 'nova_torch.proto');
let connected = false;

export default function () {
  if (!connected) {
    client.connect(__ENV.ADDRESS, { plaintext: true });
    connected = true;
  }
  client.invoke('nova_torch.NovaOrchestrator/RegisterAgent', { agent_id: 'agent-1', agent_type: 'developer' });
}

export const handleSummary = (data) => ({ stdout: JSON.stringify(data.metrics) });
