// What suite.toml says, for k6: a template in the URL, checks of status and JSON, a value captured.
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';

export const options = { vus: Number(__ENV.VUS), duration: `${__ENV.SECONDS}s` };

let id = '';

export default function () {
  const answer = http.get(http.url`${__ENV.URL}/items/${exec.scenario.iterationInTest}`);
  check(answer, {
    'status is 200': (r) => r.status === 200,
    'it is ready': (r) => r.json('status') === 'ready',
  });
  id = answer.json('id');
}

export const handleSummary = (data) => ({ stdout: JSON.stringify(data.metrics) });
