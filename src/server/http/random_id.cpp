#include "server/http/random_id.h"

#include <sys/random.h>

#include <vector>

#include "base/error.h"

namespace r1::server {
namespace {

void fill_randomly(void* bytes, size_t count) {
  if (getentropy(bytes, count) != 0) throw_error(ErrorKind::io, "cannot read random bytes from the system");
}

}  // namespace

std::string random_hexadecimal(size_t bytes) {
  std::vector<unsigned char> drawn(bytes);
  fill_randomly(drawn.data(), bytes);
  std::string digits;
  for (const unsigned char byte : drawn) digits += fmt::format("{:02x}", byte);
  return digits;
}

std::string random_id(std::string_view prefix) {
  return std::string(prefix) + random_hexadecimal(12);
}

uint64_t random_seed() {
  uint64_t seed = 0;
  fill_randomly(&seed, sizeof(seed));
  return seed;
}

}  // namespace r1::server
