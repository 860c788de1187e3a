#include "train/options_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "train/data/data_sample.h"

namespace r1 {
namespace {

template <typename Value>
constexpr bool is_number = std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>;

// A value that switches its option off, or asks for nothing: harmless everywhere. A word always asks for something.
template <typename Value>
bool is_off(const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    return false;
  } else if constexpr (requires { value.empty(); }) {
    return value.empty();
  } else {
    return value == Value{};
  }
}

void check_place(const OptionRow& row, TrainingStage stage) {
  const auto refuse = [&](std::string_view expected, std::string_view found) {
    throw_error(ErrorKind::invalid_argument, "{}: goes with {}, found {}", row.name, expected, found);
  };
  if (!row.stages.empty() && std::ranges::find(row.stages, stage) == row.stages.end()) {
    std::string names;
    for (const TrainingStage known : row.stages)
      names += (names.empty() ? "" : ", ") + std::string(name_of(known));
    refuse("train " + names, fmt::format("train {}", name_of(stage)));
  }
  for (const Requirement& requirement : row.requirements) {
    if (!requirement.holds) refuse(requirement.expected, requirement.found);
  }
}

}  // namespace

bool Range::holds(double value) const {
  return (above ? value > least : value >= least) && (below ? value < most : value <= most);
}

std::string Range::text() const {
  return above ? fmt::format("above {} and at most {}", least, most)
               : fmt::format("{} to {}{}", least, below ? "below " : "", most);
}

bool has_meaning_in(std::string_view name, TrainingStage stage) {
  bool found = true;
  TrainingOptions defaults;
  visit_training_options(defaults, [&](const OptionRow& row, const auto&) {
    if (row.name == name && !row.stages.empty())
      found = std::ranges::find(row.stages, stage) != row.stages.end();
  });
  return found;
}

void check_training_options(const TrainingOptions& options, TrainingStage stage,
                            const std::function<bool(const std::string& name)>& given) {
  TrainingOptions copy = options;
  visit_training_options(copy, [](const OptionRow& row, const auto& value) {
    if constexpr (is_number<std::decay_t<decltype(value)>>) {
      if (!row.range.holds(static_cast<double>(value)))
        throw_error(ErrorKind::invalid_argument, "{}: expected {}, found {}", row.name, row.range.text(),
                    value);
    }
  });
  column_names(options.columns);  // refuses unknown fields
  visit_training_options(copy, [&](const OptionRow& row, const auto& value) {
    if (given(std::string(row.name)) && !is_off(value)) check_place(row, stage);
  });
  if (options.schedule == Schedule::constant && given("final_rate")) {
    throw_error(ErrorKind::invalid_argument,
                "final_rate: goes with schedule = cosine or linear, found constant");
  }
  if (stage == TrainingStage::kto && options.desirable_weight == 0 && options.undesirable_weight == 0) {
    throw_error(ErrorKind::invalid_argument,
                "desirable_weight, undesirable_weight: expected one above 0, found 0 and 0");
  }
}

std::map<std::string, std::string> weight_settings(const TrainingOptions& options, TrainingStage stage) {
  std::map<std::string, std::string> settings = {{"stage", std::string(name_of(stage))}};
  TrainingOptions copy = options;
  visit_training_options(copy, [&](const OptionRow& row, const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    const bool is_known = row.stages.empty() || std::ranges::find(row.stages, stage) != row.stages.end();
    if (!row.determines_weights || !is_known) return;
    if constexpr (std::is_enum_v<Value>) {
      settings.emplace(row.name, text_of(value));
    } else if constexpr (std::is_arithmetic_v<Value>) {
      settings.emplace(row.name, fmt::format("{}", value));
    }
  });
  return settings;
}

double usual_learning_rate(const TrainingOptions& options, TrainingStage stage) {
  const bool lora = options.tuning == Tuning::lora;
  if (options.model.empty()) return 1e-3;  // a new, small model
  if (traits_of(stage).needs_reference || stage == TrainingStage::grpo) return lora ? 1e-5 : 1e-6;
  if (stage == TrainingStage::orpo) return lora ? 5e-5 : 5e-6;
  return lora ? 2e-4 : 2e-5;
}

}  // namespace r1
