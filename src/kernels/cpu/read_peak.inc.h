// Included inside a namespace by each instruction set's peak.cpp; the compiler takes the widest loads it has.
uint64_t read_peak(const uint64_t* data, size_t words) {
  uint64_t sums[32] = {};
  size_t i = 0;
  for (; i + 32 <= words; i += 32)
    for (size_t lane = 0; lane < 32; ++lane) sums[lane] += data[i + lane];
  for (; i < words; ++i) sums[0] += data[i];
  uint64_t sum = 0;
  for (const uint64_t lane : sums) sum += lane;
  return sum;
}
