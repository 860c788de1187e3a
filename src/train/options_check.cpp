#include "train/options_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <map>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "train/data/data_sample.h"

namespace r1 {
namespace {

using enum TrainingStage;

/// Numbers from `least` to `most`; `above`, `below`: without the end itself.
struct Limits {
  double least = 0, most = 0;
  bool above = false, below = false;

  bool hold(double value) const {  // false for what is no number
    return (above ? value > least : value >= least) && (below ? value < most : value <= most);
  }
  std::string text() const {
    return above ? fmt::format("above {} and at most {}", least, most)
                 : fmt::format("{} to {}{}", least, below ? "below " : "", most);
  }
};

constexpr double kMillion = 1 << 20;
constexpr double kTokens = 1 << 24;  // more than any model's context
constexpr double kSteps = int64_t{1} << 40;

const std::map<std::string_view, Limits>& limits() {
  static const std::map<std::string_view, Limits> kLimits = {
      {"eval_share", {0, 1, false, true}},
      {"sequence_length", {2, kTokens}},
      {"batch_tokens", {2, kTokens}},
      {"accumulation", {1, kMillion}},
      {"layers", {1, 4096}},
      {"hidden", {2, kMillion}},
      {"heads", {1, 65536}},
      {"key_value_heads", {1, 65536}},
      {"intermediate", {1, kMillion}},
      {"context_length", {2, kTokens}},
      {"rope_theta", {1, 1e12}},
      {"initial_deviation", {0, 1, true}},
      {"lora_rank", {1, 65536}},
      {"lora_alpha", {0, 1e6, true}},
      {"lora_plus", {0, 1e6, true}},
      {"lora_dropout", {0, 1, false, true}},
      {"trained_layers", {1, 4096}},
      {"beta", {0, 1e3, true}},
      {"orpo_lambda", {0, 1e3}},
      {"desirable_weight", {0, 1e3}},
      {"undesirable_weight", {0, 1e3}},
      {"epochs", {0, 1e6, true}},
      {"max_steps", {0, kSteps}},
      {"learning_rate", {0, 10, true}},
      {"final_rate", {0, 1}},
      {"warmup_steps", {0, kSteps}},
      {"warmup_share", {0, 1}},
      {"beta1", {0, 1, false, true}},
      {"beta2", {0, 1, false, true}},
      {"epsilon", {0, 1, true}},
      {"momentum", {0, 1, false, true}},
      {"weight_decay", {0, 10}},
      {"clip", {0, 1e9}},
      {"save_steps", {0, kSteps}},
      {"keep_checkpoints", {1, kMillion}},
      {"eval_steps", {0, kSteps}},
      {"patience", {0, kSteps}},
      {"log_steps", {0, kSteps}},
      {"spike", {0, 1e9}},
      {"samples", {0, kMillion}},
      {"sample_tokens", {1, kTokens}},
      {"ui_port", {0, 65535}},
      {"threads", {0, 4096}},
  };
  return kLimits;
}

const std::map<std::string_view, std::vector<std::string_view>>& words() {
  static const std::map<std::string_view, std::vector<std::string_view>> kWords = {
      {"train_on", {"last", "all"}},
      {"long_samples", {"refuse", "drop", "cut"}},
      {"packing", {"first-fit", "sequential", "none"}},
      {"tuning", {"full", "lora", "freeze"}},
      {"base_type", {"stored", "nf4"}},
      {"schedule", {"cosine", "linear", "constant"}},
      {"optimiser", {"adamw", "adamw-8bit", "muon"}},
      {"save_type", {"auto", "f32", "bf16", "f16"}},
      {"keep", {"auto", "everything", "layer-inputs"}},
  };
  return kWords;
}

const std::map<std::string_view, std::vector<TrainingStage>>& stages() {
  static const std::map<std::string_view, std::vector<TrainingStage>> kStages = {
      {"train_on", {sft}},
      {"long_samples", {sft, dpo, kto, orpo, reward}},  // raw text is cut into windows
      {"beta", {dpo, kto}},
      {"orpo_lambda", {orpo}},
      {"desirable_weight", {kto}},
      {"undesirable_weight", {kto}},
      {"samples", {pretrain, sft, dpo, kto, orpo}},  // a reward model says nothing
      {"sample_tokens", {pretrain, sft, dpo, kto, orpo}},
  };
  return kStages;
}

void check_values(TrainingOptions own) {
  visit_training_options(own, [](const char* name, auto& value, const char*) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>) {
      const auto known = words().find(name);
      if (known == words().end()) return;
      if (std::find(known->second.begin(), known->second.end(), value) == known->second.end()) {
        throw_error(ErrorKind::invalid_argument, "{}: expected one of {}, found '{}'", name,
                    fmt::join(known->second, ", "), value);
      }
    } else if constexpr (std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool> &&
                         !std::is_same_v<Value, uint64_t>) {
      const auto known = limits().find(name);
      if (known == limits().end())
        throw_error(ErrorKind::unsupported, "{}: nobody has said which numbers make sense", name);
      if (!known->second.hold(static_cast<double>(value))) {
        throw_error(ErrorKind::invalid_argument, "{}: expected {}, found {}", name, known->second.text(),
                    value);
      }
    }
  });
}

// A value that switches its option off, or asks for nothing: harmless wherever it stands.
template <typename Value>
bool is_off(const Value& value) {
  if constexpr (requires { value.empty(); }) {
    return value.empty();
  } else {
    return value == Value{};
  }
}

class Pairings {
 public:
  Pairings(const TrainingOptions& options, const std::function<bool(const std::string&)>& given) {
    TrainingOptions own = options;
    visit_training_options(own, [&](const char* name, auto& value, const char*) {
      if (given(name)) given_.emplace(name, !is_off(value));
    });
  }

  /// Refuses each of `names` that asks for something unless `holds`.
  void need(std::initializer_list<const char*> names, bool holds, std::string_view expected,
            std::string_view found) const {
    for (const char* name : names) {
      const auto own = given_.find(name);
      if (holds || own == given_.end() || !own->second) continue;
      throw_error(ErrorKind::invalid_argument, "{}: goes with {}, found {}", name, expected, found);
    }
  }

  bool is_given(const char* name) const { return given_.contains(name); }

 private:
  std::map<std::string, bool> given_;  // true: asks for something
};

}  // namespace

std::string_view name_of(TrainingStage stage) {
  static constexpr std::array<std::string_view, 6> kNames = {"pretrain", "sft",  "dpo",
                                                             "kto",      "orpo", "reward"};
  return kNames.at(static_cast<size_t>(stage));
}

bool has_meaning_in(std::string_view name, TrainingStage stage) {
  const auto known = stages().find(name);
  return known == stages().end() ||
         std::find(known->second.begin(), known->second.end(), stage) != known->second.end();
}

void check_training_options(const TrainingOptions& options, TrainingStage stage,
                            const std::function<bool(const std::string& name)>& given) {
  check_values(options);
  data_format_from_name(options.format);  // both refuse what is unknown
  column_names(options.columns);
  const Pairings pairings(options, given);
  for (const auto& [name, fitting] : stages()) {
    std::string names;
    for (const TrainingStage own : fitting)
      names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(own));
    pairings.need({std::string(name).c_str()}, has_meaning_in(name, stage), "train " + names,
                  fmt::format("train {}", name_of(stage)));
  }
  pairings.need({"tokenizer", "layers", "hidden", "heads", "key_value_heads", "intermediate",
                 "context_length", "rope_theta", "tie_embeddings", "initial_deviation"},
                options.model.empty(), "a new model", fmt::format("model = '{}'", options.model));
  const std::string tuning = "tuning = " + options.tuning;
  pairings.need({"base_type", "lora_rank", "lora_alpha", "lora_targets", "lora_plus", "rslora",
                 "lora_dropout", "dora", "pissa", "adapter"},
                options.tuning == "lora", "tuning = lora", tuning);
  pairings.need({"lora_rank", "lora_alpha", "lora_targets", "rslora", "dora", "pissa"},
                options.adapter.empty(), "a new adapter",
                fmt::format("adapter = '{}', which says it itself", options.adapter));
  pairings.need({"trained_layers"}, options.tuning == "freeze", "tuning = freeze", tuning);
  pairings.need({"save_type"}, options.tuning != "lora", "tuning = full or freeze",
                tuning + " (adapters are written as f32)");
  pairings.need({"momentum"}, options.optimiser == "muon", "optimiser = muon",
                "optimiser = " + options.optimiser);
  if (options.schedule == "constant" && pairings.is_given("final_rate")) {
    throw_error(ErrorKind::invalid_argument,
                "final_rate: goes with schedule = cosine or linear, found constant");
  }
  pairings.need({"eval_steps", "patience", "save_best", "samples", "sample_tokens"},
                !options.eval_data.empty() || options.eval_share > 0, "eval_data or eval_share", "neither");
  pairings.need({"eval_share"}, options.eval_data.empty(), "no eval_data", "both");
  pairings.need({"patience"}, options.eval_steps > 0, "eval_steps above 0", "0");
  pairings.need({"overwrite"}, !options.resume, "no resume", "both");
  pairings.need({"ui_port"}, options.ui, "ui", "none");
  if (stage == kto && options.desirable_weight == 0 && options.undesirable_weight == 0) {
    throw_error(ErrorKind::invalid_argument,
                "desirable_weight, undesirable_weight: expected one above 0, found 0 and 0");
  }
}

}  // namespace r1
