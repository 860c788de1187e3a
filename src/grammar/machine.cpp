#include "grammar/machine.h"

#include <algorithm>

#include "base/error.h"

namespace r1::grammar {
namespace {

constexpr ConfigurationId kUnknown = -2;
constexpr size_t kMaxElements = 20'000;
constexpr size_t kMaxConfigurations = 200'000;

}  // namespace

int32_t Machine::push(StateId return_state, int32_t below) {
  const auto [place, is_new] =
      known_stacks_.try_emplace({return_state, below}, static_cast<int32_t>(stacks_.size()));
  if (is_new) stacks_.push_back({return_state, below});
  return place->second;
}

/// Follows everything that takes nothing.
ConfigurationId Machine::close(std::vector<Element> open, bool ends) {
  std::vector<Element> seen = open;
  std::sort(seen.begin(), seen.end());
  std::vector<Element> kept;
  const auto visit = [&](Element element) {
    const auto place = std::lower_bound(seen.begin(), seen.end(), element);
    if (place != seen.end() && *place == element) return;
    seen.insert(place, element);
    if (seen.size() > kMaxElements)
      throw_error(ErrorKind::invalid_argument, "constraint: too ambiguous to be followed");
    open.push_back(element);
  };
  while (!open.empty()) {
    const Element at = open.back();
    open.pop_back();
    const State& state = grammar_->state(at.state);
    bool takes = false;
    for (const Edge& edge : state.edges) {
      if (edge.kind == Edge::Kind::empty) {
        visit({edge.target, at.stack});
      } else if (edge.kind == Edge::Kind::call) {
        visit({grammar_->rule_start(edge.value), push(edge.target, at.stack)});
      } else {
        takes = true;
      }
    }
    if (takes) kept.push_back(at);
    if (state.ends_rule) {
      if (at.stack == 0) {
        ends = true;
      } else {
        visit(pop(at.stack));
      }
    }
  }
  if (kept.empty() && !ends) return kDead;
  std::sort(kept.begin(), kept.end());
  const auto [place, is_new] =
      known_configurations_.try_emplace({kept, ends}, static_cast<ConfigurationId>(configurations_.size()));
  if (is_new) {
    if (configurations_.size() >= kMaxConfigurations)
      throw_error(ErrorKind::invalid_argument, "constraint: too many states to be followed");
    configurations_.push_back(std::make_unique<Configuration>());
    configurations_.back()->elements = std::move(kept);
    configurations_.back()->ends = ends;
  }
  return place->second;
}

ConfigurationId Machine::step(ConfigurationId from, uint8_t byte) {
  Configuration& configuration = *configurations_[from];
  if (!configuration.next) {
    configuration.next = std::make_unique<std::array<ConfigurationId, 256>>();
    configuration.next->fill(kUnknown);
  }
  ConfigurationId& known = (*configuration.next)[byte];
  if (known != kUnknown) return known;
  std::vector<Element> open;
  for (const Element& element : configuration.elements) {
    for (const Edge& edge : grammar_->state(element.state).edges) {
      if (edge.kind == Edge::Kind::bytes && byte >= edge.low && byte <= edge.high)
        open.push_back({edge.target, element.stack});
    }
  }
  std::sort(open.begin(), open.end());
  open.erase(std::unique(open.begin(), open.end()), open.end());
  known = open.empty() ? kDead : close(std::move(open), false);
  return known;
}

ConfigurationId Machine::step_token(ConfigurationId from, int32_t token) {
  std::vector<Element> open;
  for (const Element& element : configurations_[from]->elements) {
    for (const Edge& edge : grammar_->state(element.state).edges) {
      if (edge.kind == Edge::Kind::token && edge.value == token) open.push_back({edge.target, element.stack});
    }
  }
  return open.empty() ? kDead : close(std::move(open), false);
}

}  // namespace r1::grammar
