#include "base/communicator.h"

#include <algorithm>

#include "base/error.h"

namespace r1 {

void SingleProcess::set_deadline(std::chrono::milliseconds deadline) {
  if (deadline.count() <= 0) {
    throw_error(ErrorKind::invalid_argument, "communicator: deadline: expected more than 0 ms, found {} ms",
                deadline.count());
  }
}

void SingleProcess::sum(std::span<float>) {}

void SingleProcess::gather(std::span<const std::byte> mine, std::span<std::byte> all) {
  if (all.size() != mine.size()) {
    throw_error(ErrorKind::invalid_argument, "communicator: gather: expected room for {} bytes, found {}",
                mine.size(), all.size());
  }
  std::ranges::copy(mine, all.begin());
}

void SingleProcess::broadcast(std::span<std::byte>, int root) {
  if (root != 0) {
    throw_error(ErrorKind::invalid_argument, "communicator: broadcast: root: expected rank 0, found {}",
                root);
  }
}

}  // namespace r1
