// The same as uneven.toml: OUT gets every threshold with its verdict.
import http from "k6/http";
import { check } from "k6";

function get(name) {
  const answer = http.get(`${__ENV.URL}/${name}`, { tags: { name } });
  check(answer, { "as expected": (answer) => answer.status === 200 && answer.body.includes("as expected") });
}

export default function () {
  for (let i = 0; i < 8; i++) get("quick");
  get("slow");
  get("last");
}

export function handleSummary(data) {
  const all = {};
  for (const [metric, { thresholds }] of Object.entries(data.metrics)) {
    for (const [rule, { ok }] of Object.entries(thresholds || {})) all[`${metric}: ${rule}`] = ok;
  }
  return { [__ENV.OUT]: JSON.stringify(all) };
}
