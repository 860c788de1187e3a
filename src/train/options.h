// Everything a training run can be told, by who reads it. option_table.h declares each option: its name (a flag
// --learning-rate and a key learning_rate of the TOML file), help, range and where it applies. Defaults are here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/choices.h"

namespace r1 {

/// Training data and how they become batches (train/data/training_data.h).
struct TrainingDataOptions {
  std::vector<std::string> data;
  std::vector<std::string> eval_data;
  double eval_share = 0;
  DataFormat format = DataFormat::automatic;
  std::vector<std::string> columns;
  TrainedTurns train_on = TrainedTurns::last;
  int64_t sequence_length = 1024;
  LongSamples long_samples = LongSamples::refuse;
  Packing packing = Packing::first_fit;
  int64_t batch_tokens = 4096;
  int64_t accumulation = 1;
};

/// A model with random weights (train/new_model.h).
struct NewModelOptions {
  std::string tokenizer;
  int64_t layers = 6;
  int64_t hidden = 256;
  int64_t heads = 4;
  int64_t key_value_heads = 2;
  int64_t intermediate = 768;
  int64_t context_length = 2048;
  double rope_theta = 10000;
  bool tie_embeddings = true;
  double initial_deviation = 0.02;
  std::string name;
};

/// A LoRA adapter (train/trained_adapter.h).
struct LowRankOptions {
  int64_t rank = 16;
  double alpha = 32;
  bool rank_stabilised = false;  // rsLoRA (Kalajdzievski, 2023)
  double plus_ratio = 1;         // LoRA+ (Hayou et al., 2024): learning rate of B over that of A
  double dropout = 0;            // in training: share of A's inputs that is zeroed
  bool dora = false;             // DoRA (Liu et al., 2024): trained magnitudes of the rows
  bool pissa = false;
  std::vector<std::string>
      targets{};  // last parts of module names: q_proj, …; empty: every linear layer of a block
  uint64_t seed = 1;
};

/// What is trained of a model (train/trained_model.h).
struct TuningOptions {
  std::string model;
  Tuning tuning = Tuning::full;
  BaseType base_type = BaseType::stored;
  LowRankOptions lora;  // its seed is `seed` below
  std::string adapter;
  int64_t trained_layers = 2;
};

/// Preference losses (train/loss.h).
struct ObjectiveOptions {
  double beta = 0.1;                                    // dpo, kto
  double orpo_lambda = 0.1;                             // orpo
  double desirable_weight = 1, undesirable_weight = 1;  // kto
};

/// Reinforcement learning (rl/policy_trainer.h). A step samples `group` answers to each of `questions` questions, and
/// learns from them in `minibatches` changes of the weights. Negative numbers: as the variant says.
struct ReinforcementOptions {
  PolicyVariant variant = PolicyVariant::grpo;
  PolicyPreset preset = PolicyPreset::none;
  std::vector<std::string> rewards{"accuracy=1", "format=1"};  // NAME=WEIGHT (rl/reward.h)
  int64_t questions = 16, group = 16;
  int64_t minibatches = 2, inner_epochs = 1;
  int64_t answer_tokens = 512;
  double temperature = 1, top_p = 1;
  AdvantageKind advantage = AdvantageKind::automatic;
  Averaging averaging = Averaging::automatic;
  double clip_low = -1, clip_high = -1, dual_clip = -1;
  double kl = -1;
  int64_t reference_steps = 0;    // steps after which the reference becomes the present policy; 0: never
  bool dynamic_sampling = false;  // groups whose rewards are all equal are replaced (DAPO)
  Overlong overlong = Overlong::keep;
  int64_t overlong_buffer =
      0;  // of the reward `overlong`: tokens before answer_tokens where its penalty grows
  double reward_seconds = 60;       // that a reward command may take for a step's answers
  int64_t rollout_sequences = 256;  // sampled at once
  int64_t eval_group = 4;           // answers to each evaluation question
};

/// Length and learning rates (scheduled_rate in train/optimiser.h).
struct ScheduleOptions {
  double epochs = 1;
  int64_t max_steps = 0;
  double learning_rate = 1e-3;
  double final_rate = 0.1;
  Schedule schedule = Schedule::cosine;
  int64_t warmup_steps = 0;
  double warmup_share = 0.03;
};

/// train/optimiser.h.
struct OptimiserOptions {
  OptimiserKind optimiser = OptimiserKind::adamw;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double momentum = 0.95;
  double weight_decay = 0.1;
  double clip = 1;
};

/// What is written, shown and kept, and when a run ends early.
struct OutcomeOptions {
  std::string output;
  SaveType save_type = SaveType::automatic;
  int64_t save_steps = 500;
  int64_t keep_checkpoints = 3;
  int64_t eval_steps = 500;
  int64_t patience = 0;
  bool save_best = true;
  int64_t log_steps = 10;
  bool resume = false;
  bool overwrite = false;
  double spike = 10;
  int64_t samples = 2;
  int64_t sample_tokens = 64;
  bool ui = false;
  int64_t ui_port = 8090;
};

/// All of them; functions take the part that they read.
struct TrainingOptions : TrainingDataOptions,
                         NewModelOptions,
                         TuningOptions,
                         ObjectiveOptions,
                         ReinforcementOptions,
                         ScheduleOptions,
                         OptimiserOptions,
                         OutcomeOptions {
  uint64_t seed = 1;
  int threads = 0;
  ActivationStorageChoice keep = ActivationStorageChoice::automatic;
};

}  // namespace r1
