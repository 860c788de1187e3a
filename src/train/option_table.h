// The table of training options. Flags, TOML keys, help, checks, the stages that know an option, and the settings that
// a resumed run must share all come from here; a new option is one row and one member.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "train/options.h"
#include "train/stage.h"

namespace r1 {

/// The numbers from `least` to `most`; above, below: without that end.
struct Range {
  double least = 0, most = 0;
  bool above = false, below = false;

  bool holds(double value) const;  // false for NaN
  std::string text() const;        // "above 0 and at most 10"
};

/// What an option requires of the others, with the run's options as they are.
struct Requirement {
  bool holds = true;
  std::string expected, found;  // "tuning = lora", "tuning = full"
};

struct OptionRow {
  std::string_view name;
  std::string_view help;
  Range range;                            // of numbers
  std::vector<TrainingStage> stages;      // that know the option; empty: all
  std::vector<Requirement> requirements;  // that must hold when somebody asks for the option
  bool determines_weights = false;        // may not change when a run is resumed

  OptionRow& in(std::initializer_list<TrainingStage> which) {
    stages.assign(which);
    return *this;
  }
  OptionRow& needs(bool holds, std::string expected, std::string found) {
    requirements.push_back({holds, std::move(expected), std::move(found)});
    return *this;
  }
  OptionRow& fixes_weights() {
    determines_weights = true;
    return *this;
  }
};

/// Calls visitor(row, value) for each option, in the order of --help.
template <typename Visitor>
void visit_training_options(TrainingOptions& o, Visitor&& visitor) {
  using enum TrainingStage;
  constexpr double kMillion = 1 << 20;
  constexpr double kTokens = 1 << 24;  // more than any model's context
  constexpr double kSteps = int64_t{1} << 40;
  constexpr double kSeeds = 18446744073709551615.0;
  constexpr bool kAbove = true, kBelow = true;
  const auto row = [](std::string_view name, std::string_view help) {
    OptionRow made;
    made.name = name, made.help = help;
    return made;
  };
  // A number cannot be declared without its range, nor anything else with one.
  const auto number = [&](OptionRow declared, const Range& range, auto& value) {
    using Value = std::decay_t<decltype(value)>;
    static_assert(std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>);
    declared.range = range;
    visitor(static_cast<const OptionRow&>(declared), value);
  };
  const auto option = [&](const OptionRow& declared, auto& value) {
    using Value = std::decay_t<decltype(value)>;
    static_assert(!std::is_arithmetic_v<Value> || std::is_same_v<Value, bool>);
    visitor(declared, value);
  };
  const bool evaluates = !o.eval_data.empty() || o.eval_share > 0;
  const std::string tuning = "tuning = " + std::string(text_of(o.tuning));
  const auto evaluation = [&](OptionRow made) {
    return made.needs(evaluates, "eval_data or eval_share", "neither");
  };
  const auto new_model = [&](OptionRow made) {
    return made.needs(o.model.empty(), "a new model", "model = '" + o.model + "'");
  };
  const auto lora = [&](OptionRow made) {
    return made.needs(o.tuning == Tuning::lora, "tuning = lora", tuning);
  };
  const auto new_adapter = [&](OptionRow made) {
    return lora(std::move(made))
        .needs(o.adapter.empty(), "a new adapter", "adapter = '" + o.adapter + "', which says it itself");
  };

  option(row("data", "training files: .jsonl, .json, .csv, .tsv, .txt, .md"), o.data);
  option(row("eval_data", "files to evaluate on during training"), o.eval_data);
  number(row("eval_share", "share of the training data that is kept back for evaluation")
             .needs(o.eval_data.empty(), "no eval_data", "both"),
         {0, 1, false, kBelow}, o.eval_share);
  option(row("format",
             "form of the data: auto, text, triple, alpaca, sharegpt, messages, completion, preference, kto"),
         o.format);
  option(row("columns", "own names of fields, as question=prompt"), o.columns);
  option(row("train_on", "answers that are trained: last, all").in({sft}).fixes_weights(), o.train_on);
  number(row("sequence_length", "maximum tokens of a sequence").fixes_weights(), {2, kTokens},
         o.sequence_length);
  option(row("long_samples", "longer samples: refuse, drop, cut").in({sft, dpo, kto, orpo, reward}),
         o.long_samples);  // raw text is cut into windows
  option(row("packing", "how samples share a batch: first-fit, sequential, none").fixes_weights(), o.packing);
  number(row("batch_tokens", "maximum tokens of one forward and backward pass").fixes_weights(), {2, kTokens},
         o.batch_tokens);
  number(row("accumulation", "passes of one step").fixes_weights(), {1, kMillion}, o.accumulation);

  option(row("model",
             "model to start from: a hub directory, for LoRA also a GGUF file; none: a new one with "
             "random weights"),
         o.model);
  option(new_model(row("tokenizer", "directory with tokenizer.json of a new model")), o.tokenizer);
  number(new_model(row("layers", "new model: layers")), {1, 4096}, o.layers);
  number(new_model(row("hidden", "new model: width of the residual stream")), {2, kMillion}, o.hidden);
  number(new_model(row("heads", "new model: query heads")), {1, 65536}, o.heads);
  number(new_model(row("key_value_heads", "new model: key and value heads")), {1, 65536}, o.key_value_heads);
  number(new_model(row("intermediate", "new model: width of the feed-forward")), {1, kMillion},
         o.intermediate);
  number(new_model(row("context_length", "new model: positions it is made for")), {2, kTokens},
         o.context_length);
  number(new_model(row("rope_theta", "new model: base of the rotary frequencies")), {1, 1e12}, o.rope_theta);
  option(new_model(row("tie_embeddings", "new model: the output matrix is the embedding")), o.tie_embeddings);
  number(new_model(row("initial_deviation", "new model: standard deviation of random weights")),
         {0, 1, kAbove}, o.initial_deviation);
  option(row("name", "name of the trained model"), o.name);

  option(row("tuning", "what is trained: full, lora, freeze (the last trained_layers)").fixes_weights(),
         o.tuning);
  option(lora(row("base_type", "LoRA: how the frozen matrices of the blocks are held: stored, nf4"))
             .fixes_weights(),
         o.base_type);
  number(new_adapter(row("lora_rank", "LoRA: rank")).fixes_weights(), {1, 65536}, o.lora.rank);
  number(new_adapter(row("lora_alpha", "LoRA: alpha; the term is scaled by alpha / rank")).fixes_weights(),
         {0, 1e6, kAbove}, o.lora.alpha);
  option(new_adapter(row("lora_targets", "LoRA: modules, as q_proj,v_proj; none: all linear layers")),
         o.lora.targets);
  number(lora(row("lora_plus", "LoRA+: learning rate of B over that of A")).fixes_weights(), {0, 1e6, kAbove},
         o.lora.plus_ratio);
  option(new_adapter(row("rslora", "LoRA: scale by alpha / sqrt(rank)")).fixes_weights(),
         o.lora.rank_stabilised);
  number(lora(row("lora_dropout",
                  "LoRA: share of the terms' inputs that is zeroed in training; 0 with adapter: as it says"))
             .fixes_weights(),
         {0, 1, false, kBelow}, o.lora.dropout);
  option(new_adapter(
             row("dora", "DoRA: the magnitudes of the weights' rows are trained apart from their directions"))
             .fixes_weights(),
         o.lora.dora);
  option(
      new_adapter(row("pissa", "PiSSA: LoRA begins with the principal part of the weights")).fixes_weights(),
      o.lora.pissa);
  option(lora(row("adapter", "LoRA: PEFT directory or GGUF adapter to continue")), o.adapter);
  number(row("trained_layers", "freeze: layers that are trained, counted from the last")
             .needs(o.tuning == Tuning::freeze, "tuning = freeze", tuning),
         {1, 4096}, o.trained_layers);

  number(row("beta", "DPO, KTO: strength of the tie to the reference model").in({dpo, kto}).fixes_weights(),
         {0, 1e3, kAbove}, o.beta);
  number(row("orpo_lambda", "ORPO: weight of the odds ratio").in({orpo}).fixes_weights(), {0, 1e3},
         o.orpo_lambda);
  number(row("desirable_weight", "KTO: weight of desirable answers").in({kto}).fixes_weights(), {0, 1e3},
         o.desirable_weight);
  number(row("undesirable_weight", "KTO: weight of the others").in({kto}).fixes_weights(), {0, 1e3},
         o.undesirable_weight);

  const auto policy = [&](OptionRow made) { return made.in({grpo}).fixes_weights(); };
  option(policy(row("variant", "grpo, dapo, dr-grpo, gspo, cispo, rloo, reinforce++")), o.variant);
  option(
      row("preset", "settings of a published run: r1-zero, r1-reasoning, r1-all-scenarios; other options win")
          .in({grpo}),
      o.preset);
  option(row("rewards",
             "rewards with their weights: accuracy=1,format=1; also language, answer-tags, repetition, "
             "overlong, length, command:PROGRAM, model:FOLDER")
             .in({grpo}),
         o.rewards);
  number(policy(row("questions", "questions of a step")), {1, kMillion}, o.questions);
  number(policy(row("group", "answers to each question")), {2, kMillion}, o.group);
  number(policy(row("minibatches", "changes of the weights in one pass over a step's answers")),
         {1, kMillion}, o.minibatches);
  number(policy(row("inner_epochs", "passes over a step's answers")), {1, 1024}, o.inner_epochs);
  number(policy(row("answer_tokens", "maximum tokens of an answer, thinking included")), {1, kTokens},
         o.answer_tokens);
  number(policy(row("temperature", "of the sampled answers")), {0, 100, kAbove}, o.temperature);
  number(policy(row("top_p", "of the sampled answers; 1: off")), {0, 1, kAbove}, o.top_p);
  option(policy(row("advantage",
                    "auto (the variant's), group-deviation, group-mean, leave-one-out, batch-deviation")),
         o.advantage);
  option(policy(row("averaging", "auto (the variant's), sequence, token, constant")), o.averaging);
  number(policy(row("clip_low", "how far below 1 a ratio counts; -1: the variant's")), {-1, 1}, o.clip_low);
  number(policy(row("clip_high", "how far above 1 a ratio counts; -1: the variant's")), {-1, 1e6},
         o.clip_high);
  number(policy(row("dual_clip", "limit of the ratio of bad answers, above 1; 0: none; -1: the variant's")),
         {-1, 1e6}, o.dual_clip);
  number(
      policy(row("kl",
                 "weight of the divergence from the reference; 0: no reference is held; -1: the variant's")),
      {-1, 1e3}, o.kl);
  number(
      policy(row("reference_steps", "steps after which the reference becomes the present policy; 0: never")),
      {0, kSteps}, o.reference_steps);
  option(policy(row("dynamic_sampling", "replace questions whose answers all got the same reward (DAPO)")),
         o.dynamic_sampling);
  option(policy(row("overlong", "answers cut off by answer_tokens: keep, mask (no gradient)")), o.overlong);
  number(policy(row("overlong_buffer",
                    "reward overlong: tokens before answer_tokens over which the penalty grows")),
         {0, kTokens}, o.overlong_buffer);
  number(row("reward_seconds", "time that a reward command may take for the answers of a step").in({grpo}),
         {0, 1e6, kAbove}, o.reward_seconds);
  number(row("rollout_sequences", "answers sampled at once").in({grpo}), {1, 65536}, o.rollout_sequences);
  number(evaluation(row("eval_group", "answers to each evaluation question").in({grpo})), {1, 4096},
         o.eval_group);

  number(row("epochs", "passes over the data"), {0, 1e6, kAbove}, o.epochs);
  number(row("max_steps", "steps in all; 0: as epochs say"), {0, kSteps}, o.max_steps);
  number(row("learning_rate",
             "largest learning rate; by default as fits what is trained (docs/training.md, Learning rates)")
             .fixes_weights(),
         {0, 10, kAbove}, o.learning_rate);
  number(row("final_rate", "learning rate at the end, as a share of the largest").fixes_weights(), {0, 1},
         o.final_rate);
  option(row("schedule", "way from the one to the other: cosine, linear, constant").fixes_weights(),
         o.schedule);
  number(
      row("warmup_steps", "steps over which the rate rises from 0; 0: as warmup_share says").fixes_weights(),
      {0, kSteps}, o.warmup_steps);
  number(row("warmup_share", "the same as a share of all steps").fixes_weights(), {0, 1}, o.warmup_share);

  option(row("optimiser", "adamw, adamw-8bit (moments in 8 bits), muon").fixes_weights(), o.optimiser);
  number(row("beta1", "AdamW: decay of the mean").fixes_weights(), {0, 1, false, kBelow}, o.beta1);
  number(row("beta2", "AdamW: decay of the mean square").fixes_weights(), {0, 1, false, kBelow}, o.beta2);
  number(row("epsilon", "AdamW: added to the root").fixes_weights(), {0, 1, kAbove}, o.epsilon);
  number(row("momentum", "Muon: momentum of matrices")
             .needs(o.optimiser == OptimiserKind::muon, "optimiser = muon",
                    "optimiser = " + std::string(text_of(o.optimiser)))
             .fixes_weights(),
         {0, 1, false, kBelow}, o.momentum);
  number(row("weight_decay", "decay of matrices").fixes_weights(), {0, 10}, o.weight_decay);
  number(row("clip", "largest norm of all gradients; 0: not clipped").fixes_weights(), {0, 1e9}, o.clip);
  number(row("seed", "seed of everything that is random").fixes_weights(), {0, kSeeds}, o.seed);

  option(row("output", "directory for the model, checkpoints and logs"), o.output);
  option(row("save_type", "type of the written weights: auto (the model's; new ones f32), f32, bf16, f16")
             .needs(o.tuning != Tuning::lora, "tuning = full or freeze",
                    tuning + " (adapters are written as f32)"),
         o.save_type);
  number(row("save_steps", "steps between checkpoints; 0: only at the end"), {0, kSteps}, o.save_steps);
  number(row("keep_checkpoints", "checkpoints that are kept"), {1, kMillion}, o.keep_checkpoints);
  number(evaluation(row("eval_steps", "steps between evaluations; 0: only at the end")), {0, kSteps},
         o.eval_steps);
  number(evaluation(row("patience", "stop after this many evaluations without a better one; 0: never"))
             .needs(o.eval_steps > 0, "eval_steps above 0", "0"),
         {0, kSteps}, o.patience);
  option(evaluation(row("save_best", "write the model of the best evaluation, not the last one")),
         o.save_best);
  number(row("log_steps", "steps between lines of the log; 0: only at the end"), {0, kSteps}, o.log_steps);
  option(row("resume", "continue from the newest good checkpoint in the output directory"), o.resume);
  option(row("overwrite", "begin anew although the output directory has checkpoints")
             .needs(!o.resume, "no resume", "both"),
         o.overwrite);
  number(row("spike",
             "stop when the loss is this many running deviations, and at least 1, above its running mean; 0: "
             "never"),
         {0, 1e9}, o.spike);
  const std::initializer_list<TrainingStage> answering = {pretrain, sft, dpo, kto,
                                                          orpo};  // a reward model has no words
  number(evaluation(row("samples",
                        "evaluation samples that the model answers after each evaluation, into "
                        "samples.jsonl")
                        .in(answering)),
         {0, kMillion}, o.samples);
  number(evaluation(row("sample_tokens", "maximum tokens of such an answer").in(answering)), {1, kTokens},
         o.sample_tokens);
  option(row("ui", "serve a page on this machine that shows the run"), o.ui);
  number(row("ui_port", "its port; 0: any free one").needs(o.ui, "ui", "none"), {0, 65535}, o.ui_port);

  number(row("threads", "threads; 0: one for each core"), {0, 4096}, o.threads);
  option(row("keep", "kept for backward: auto, everything, layer-inputs (less memory, a third more work)"),
         o.keep);
}

}  // namespace r1
