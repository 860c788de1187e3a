// Load that looks alive.
import { MODELS } from './state.mjs';

function sampleAt(time) {
  const s = time / 1000;
  const running = Math.max(0, Math.round(5 + 4 * Math.sin(s / 23) + 2 * Math.sin(s / 5.1)));
  const wave = Math.abs(Math.sin(s * 12.9898) * 43758.5453) % 1;
  return {
    time, running, waiting: Math.max(0, running - 7), prompt_tokens_per_second: running * 80 * wave, output_tokens_per_second: running * (11 + 2 * wave),
    ttft_ms: running === 0 ? null : { p50: 180 + 20 * running, p95: 420 + 60 * running * wave }, itl_ms: running === 0 ? null : { p50: 40 + running, p95: 60 + 4 * running * (1 + wave) },
    kv_used: 2000 + running * 1700, kv_size: 65536, cache_hit_rate: 0.6 + 0.2 * Math.sin(s / 40), memory_bytes: 2.4e9 + running * 3e7, requests: Math.floor(s % 100000), errors: 2, model: MODELS[0].name,
  };
}

export function streamMetrics(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let id = 0;
  const write = (event, data) => response.write(`id: ${++id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const now = Date.now();
  write('history', { samples: Array.from({ length: 240 }, (_, i) => sampleAt(now - (240 - i) * 1000)) });
  const timer = setInterval(() => write('sample', sampleAt(Date.now())), 1000);
  request.on('close', () => clearInterval(timer));
}
