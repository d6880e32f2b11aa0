// Two requests of each user, over a connection of its own, which stays open in between.
import http from 'k6/http';
import { sleep } from 'k6';

export const options = {
  discardResponseBodies: true,
  scenarios: {
    twice: { executor: 'per-vu-iterations', vus: Number(__ENV.VUS), iterations: 2, maxDuration: '100s' },
  },
};

export default function () {
  http.get(__ENV.URL);
  sleep(Number(__ENV.PAUSE));
}

export const handleSummary = (data) => ({ stdout: JSON.stringify(data.metrics) });
