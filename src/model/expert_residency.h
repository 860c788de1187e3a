// Keeps the most used experts of a model in memory, within a budget, when not all of them fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "nn/experts.h"

namespace r1 {

/// Counts how often each expert is used and, from time to time, holds the most used ones in memory: their
/// pages are locked where the system permits (RLIMIT_MEMLOCK), else only asked for. Experts chosen for a pass
/// are asked for together before they are read. Safe from several threads.
class ExpertResidency final : public ExpertObserver {
 public:
  /// Layers' experts; they must outlive this. budget_bytes 0: none are held. read_ahead: ask for chosen
  /// experts before they are used (pays only where the file does not lie in memory).
  ExpertResidency(const std::vector<const Experts*>& layers, size_t budget_bytes, bool read_ahead);
  ~ExpertResidency() override;

  /// Notes the experts chosen in one layer of a pass and starts reading those that are not held (read_ahead).
  void use(const Experts& layer, std::span<const int32_t> experts) override;

  struct Statistics {
    size_t held_bytes = 0;
    int64_t held_experts = 0;
    int64_t locked_experts = 0;  // of the held ones
    int64_t uses = 0;            // choices of an expert by a row
    int64_t held_uses = 0;       // of those, of experts held at that time
  };
  Statistics statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1
