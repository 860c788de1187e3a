// The words of training options: each enumeration once, with its words as they are written on the command line, in
// TOML files and in run.json. Parsed once; the rest of the program compares values.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace r1 {

template <typename Choice>
using Word = std::pair<std::string_view, Choice>;

/// How a data file gives its samples (train/data/data_sample.h).
enum class DataFormat {
  automatic,   // by the fields of the record
  text,        // text
  triple,      // question, answer [, think, system, history]
  alpaca,      // instruction, output [, input, system, history]
  sharegpt,    // conversations: [{from, value}] [, system, tools]
  messages,    // messages: [{role, content, …}] [, tools]: OpenAI's form
  preference,  // chosen and rejected beside prompt, instruction, question, conversations or messages
  kto,  // label or kto_tag (true, false) beside one of the conversations above, or prompt and completion
  completion,  // prompt (a text or messages), completion
};
constexpr auto words_of(DataFormat) {
  using enum DataFormat;
  return std::to_array<Word<DataFormat>>({{"auto", automatic},
                                          {"text", text},
                                          {"triple", triple},
                                          {"alpaca", alpaca},
                                          {"sharegpt", sharegpt},
                                          {"messages", messages},
                                          {"preference", preference},
                                          {"kto", kto},
                                          {"completion", completion}});
}

enum class TrainedTurns {
  last,  // the last answer of a conversation
  all,   // every answer of the assistant
};
constexpr auto words_of(TrainedTurns) {
  return std::to_array<Word<TrainedTurns>>({{"last", TrainedTurns::last}, {"all", TrainedTurns::all}});
}

/// What happens to a sample of more tokens than sequence_length.
enum class LongSamples {
  refuse,  // an error that names it
  drop,    // left out, counted in DataSet::dropped
  cut,     // its end is cut off, counted in DataSet::cut
};
constexpr auto words_of(LongSamples) {
  return std::to_array<Word<LongSamples>>(
      {{"refuse", LongSamples::refuse}, {"drop", LongSamples::drop}, {"cut", LongSamples::cut}});
}

enum class Packing {
  none,        // every batch holds a fixed number of samples
  sequential,  // samples in their order, as many as fit
  first_fit,   // each sample into the first batch that has room, among the last ones begun
};
constexpr auto words_of(Packing) {
  return std::to_array<Word<Packing>>(
      {{"first-fit", Packing::first_fit}, {"sequential", Packing::sequential}, {"none", Packing::none}});
}

/// What is trained of a model.
enum class Tuning { full, lora, freeze };
constexpr auto words_of(Tuning) {
  return std::to_array<Word<Tuning>>(
      {{"full", Tuning::full}, {"lora", Tuning::lora}, {"freeze", Tuning::freeze}});
}

/// How the frozen matrices of a LoRA run are held.
enum class BaseType { stored, nf4 };
constexpr auto words_of(BaseType) {
  return std::to_array<Word<BaseType>>({{"stored", BaseType::stored}, {"nf4", BaseType::nf4}});
}

/// The way of the learning rate down, after the warm-up.
enum class Schedule { cosine, linear, constant };
constexpr auto words_of(Schedule) {
  return std::to_array<Word<Schedule>>(
      {{"cosine", Schedule::cosine}, {"linear", Schedule::linear}, {"constant", Schedule::constant}});
}

enum class OptimiserKind { adamw, adamw_8bit, muon };
constexpr auto words_of(OptimiserKind) {
  return std::to_array<Word<OptimiserKind>>({{"adamw", OptimiserKind::adamw},
                                             {"adamw-8bit", OptimiserKind::adamw_8bit},
                                             {"muon", OptimiserKind::muon}});
}

/// Type of the written weights.
enum class SaveType { automatic, f32, bf16, f16 };
constexpr auto words_of(SaveType) {
  return std::to_array<Word<SaveType>>({{"auto", SaveType::automatic},
                                        {"f32", SaveType::f32},
                                        {"bf16", SaveType::bf16},
                                        {"f16", SaveType::f16}});
}

/// What is kept between forward and backward; automatic: as the memory allows.
enum class ActivationStorageChoice { automatic, everything, layer_inputs };
constexpr auto words_of(ActivationStorageChoice) {
  return std::to_array<Word<ActivationStorageChoice>>(
      {{"auto", ActivationStorageChoice::automatic},
       {"everything", ActivationStorageChoice::everything},
       {"layer-inputs", ActivationStorageChoice::layer_inputs}});
}

/// Published variants of policy-gradient training (rl/policy_loss.h has their settings).
enum class PolicyVariant { grpo, dapo, dr_grpo, gspo, cispo, rloo, reinforce_plus_plus };
constexpr auto words_of(PolicyVariant) {
  using enum PolicyVariant;
  return std::to_array<Word<PolicyVariant>>({{"grpo", grpo},
                                             {"dapo", dapo},
                                             {"dr-grpo", dr_grpo},
                                             {"gspo", gspo},
                                             {"cispo", cispo},
                                             {"rloo", rloo},
                                             {"reinforce++", reinforce_plus_plus}});
}

/// From the rewards of a question's answers to an advantage for each. automatic: as the variant says.
enum class AdvantageKind {
  automatic,
  group_deviation,  // (R - mean of the group) / its standard deviation
  group_mean,       // R - mean of the group
  leave_one_out,    // R - mean of the other answers
  batch_deviation,  // R - mean of the group, then divided by the standard deviation over the batch
};
constexpr auto words_of(AdvantageKind) {
  using enum AdvantageKind;
  return std::to_array<Word<AdvantageKind>>({{"auto", automatic},
                                             {"group-deviation", group_deviation},
                                             {"group-mean", group_mean},
                                             {"leave-one-out", leave_one_out},
                                             {"batch-deviation", batch_deviation}});
}

/// What an importance ratio is of.
enum class RatioKind {
  token,
  sequence,       // the product over the answer's tokens
  sequence_mean,  // their geometric mean
};

enum class Surrogate { clipped, detached };

/// How the terms of tokens become one number. automatic: as the variant says.
enum class Averaging {
  automatic,
  sequence,  // mean over answers of the mean over tokens
  token,     // mean over all tokens of the step
  constant,  // mean over answers of the sum over tokens / answer_tokens
};
constexpr auto words_of(Averaging) {
  using enum Averaging;
  return std::to_array<Word<Averaging>>(
      {{"auto", automatic}, {"sequence", sequence}, {"token", token}, {"constant", constant}});
}

/// What happens to an answer that answer_tokens cut off.
enum class Overlong {
  keep,  // it is judged as it is
  mask,  // it gets no gradient, and counts in its group
};
constexpr auto words_of(Overlong) {
  return std::to_array<Word<Overlong>>({{"keep", Overlong::keep}, {"mask", Overlong::mask}});
}

/// The settings that a published run had (docs/reinforcement-learning.md).
enum class PolicyPreset { none, r1_zero, r1_reasoning, r1_all_scenarios };
constexpr auto words_of(PolicyPreset) {
  using enum PolicyPreset;
  return std::to_array<Word<PolicyPreset>>({{"none", none},
                                            {"r1-zero", r1_zero},
                                            {"r1-reasoning", r1_reasoning},
                                            {"r1-all-scenarios", r1_all_scenarios}});
}

template <typename Choice>
std::string_view text_of(Choice choice) {
  for (const auto& [text, value] : words_of(choice)) {
    if (value == choice) return text;
  }
  throw std::logic_error("an enumeration value without a word");
}

/// Throws Error(invalid_argument) "OPTION: expected one of …, found '…'" for any other text.
template <typename Choice>
Choice choice_of(std::string_view option, std::string_view text) {
  std::string known;
  for (const auto& [word, value] : words_of(Choice{})) {
    if (word == text) return value;
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  throw_error(ErrorKind::invalid_argument, "{}: expected one of {}, found '{}'", option, known, text);
}

}  // namespace r1
