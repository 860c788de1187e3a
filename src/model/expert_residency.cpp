#include "model/expert_residency.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

namespace r1 {
namespace {

constexpr int64_t kUsesBetweenPlans = 16384;  // choices of experts
constexpr int64_t kFirstPlan = 512;

struct Range {
  char* begin = nullptr;
  size_t bytes = 0;
};

// The whole pages that a matrix touches.
Range pages_of(const Weight& weight) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(weight.data) % page;
  const size_t bytes = before + static_cast<size_t>(weight.outputs) * weight.row_bytes;
  char* const begin = const_cast<char*>(reinterpret_cast<const char*>(weight.data)) - before;
  return {begin, (bytes + page - 1) / page * page};
}

struct Expert {
  Range ranges[3];
  size_t bytes = 0;
  int64_t uses = 0;
  int64_t asked_in = 0;  // the call of use() that last asked for it
  bool held = false;
  bool locked = false;
};

void ask_for(const Expert& expert) {
  for (const Range& range : expert.ranges) madvise(range.begin, range.bytes, MADV_WILLNEED);
}

void hold(Expert& expert) {
  expert.held = true;
  expert.locked = true;
  for (const Range& range : expert.ranges) {
    if (mlock(range.begin, range.bytes) != 0) expert.locked = false;
  }
  if (expert.locked) return;
  for (const Range& range : expert.ranges) munlock(range.begin, range.bytes);
  ask_for(expert);
}

void let_go(Expert& expert) {
  if (expert.locked) {
    for (const Range& range : expert.ranges) munlock(range.begin, range.bytes);
  }
  expert.held = expert.locked = false;
}

}  // namespace

struct ExpertResidency::State {
  mutable std::mutex mutex;
  size_t budget = 0;
  bool read_ahead = false;
  int64_t pass = 0;
  std::vector<Expert> experts;
  std::unordered_map<const Experts*, size_t> first_expert;  // of a layer
  int64_t uses = 0;
  int64_t held_uses = 0;
  int64_t next_plan = kFirstPlan;

  // Chooses anew which experts are held: the most used, up to the budget.
  void plan() {
    std::vector<size_t> order(experts.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return experts[a].uses > experts[b].uses; });
    std::vector<bool> wanted(experts.size(), false);
    size_t bytes = 0;
    for (size_t index : order) {
      if (experts[index].uses == 0 || bytes + experts[index].bytes > budget) break;
      bytes += experts[index].bytes;
      wanted[index] = true;
    }
    for (size_t i = 0; i < experts.size(); ++i) {
      if (experts[i].held && !wanted[i]) let_go(experts[i]);
    }
    for (size_t i = 0; i < experts.size(); ++i) {
      if (!experts[i].held && wanted[i]) hold(experts[i]);
      experts[i].uses /= 2;  // old uses count less
    }
  }
};

ExpertResidency::ExpertResidency(const std::vector<const Experts*>& layers, size_t budget_bytes,
                                 bool read_ahead)
    : state_(std::make_unique<State>()) {
  state_->budget = budget_bytes;
  state_->read_ahead = read_ahead;
  if (budget_bytes == 0 && !read_ahead) return;
  for (const Experts* layer : layers) {
    state_->first_expert[layer] = state_->experts.size();
    for (size_t e = 0; e < layer->gate.size(); ++e) {
      Expert expert;
      expert.ranges[0] = pages_of(layer->gate[e].weight);
      expert.ranges[1] = pages_of(layer->up[e].weight);
      expert.ranges[2] = pages_of(layer->down[e].weight);
      for (const Range& range : expert.ranges) expert.bytes += range.bytes;
      state_->experts.push_back(expert);
    }
  }
}

ExpertResidency::~ExpertResidency() {
  for (Expert& expert : state_->experts) let_go(expert);
}

void ExpertResidency::use(const Experts& layer, std::span<const int32_t> experts) {
  State& state = *state_;
  if (state.experts.empty()) return;
  std::lock_guard lock(state.mutex);
  ++state.pass;
  const size_t first = state.first_expert.at(&layer);
  for (int32_t index : experts) {
    Expert& expert = state.experts[first + static_cast<size_t>(index)];
    ++expert.uses;
    ++state.uses;
    if (expert.held) {
      ++state.held_uses;
    } else if (state.read_ahead && expert.asked_in != state.pass) {
      expert.asked_in = state.pass;
      ask_for(expert);
    }
  }
  if (state.budget == 0 || state.uses < state.next_plan) return;
  state.next_plan = state.uses + kUsesBetweenPlans;
  state.plan();
}

ExpertResidency::Statistics ExpertResidency::statistics() const {
  std::lock_guard lock(state_->mutex);
  Statistics out;
  out.uses = state_->uses;
  out.held_uses = state_->held_uses;
  for (const Expert& expert : state_->experts) {
    if (!expert.held) continue;
    ++out.held_experts;
    out.held_bytes += expert.bytes;
    if (expert.locked) ++out.locked_experts;
  }
  return out;
}

}  // namespace r1
