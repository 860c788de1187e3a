// What several processes that compute one model together exchange.
//
// Ranks call the same operations in the same order with the same sizes; an operation ends when all ranks have
// called it. Results are the same bits on every rank and in every run: sums add rank 0 first, then rank 1, and
// so on, whatever arrives first. (Another number of ranks splits sums otherwise: other bits.)
// Errors: Error(invalid_argument) for sizes and ranks that do not fit; Error(network) when a rank is lost or the
// deadline passes: nothing hangs. After it the communicator is of no more use. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>

namespace r1 {

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;  // in [0, size())
  virtual int size() const = 0;  // ≥ 1

  /// The longest that one operation may take.
  virtual void set_deadline(std::chrono::milliseconds deadline) = 0;

  /// Every rank's values[i] become the sum of all ranks' values[i].
  virtual void sum(std::span<float> values) = 0;
  /// Every rank gets all ranks' `mine`, in the order of ranks: all.size() is size() · mine.size(). They must not
  /// overlap.
  virtual void gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  /// Every rank gets the bytes of rank `root`.
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
};

/// One process alone: rank 0 of 1. Waits for nobody, so that no deadline passes.
class SingleProcess : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void set_deadline(std::chrono::milliseconds deadline) override;
  void sum(std::span<float> values) override;
  void gather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void broadcast(std::span<std::byte> bytes, int root) override;
};

}  // namespace r1
