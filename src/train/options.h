// Everything a training run can be told. Each option is declared once, in visit_training_options: its name (a
// flag --learning-rate and a key learning_rate of the TOML file), its place, its help. Defaults are below.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace r1 {

/// Of an adapter (train/low_rank.h).
struct LowRankOptions {
  int64_t rank = 16;
  double alpha = 32;
  bool rank_stabilised = false;  // rsLoRA (Kalajdzievski, 2023)
  double plus_ratio = 1;         // LoRA+ (Hayou et al., 2024): B learns so many times faster
  double dropout = 0;            // in training: share of A's inputs that is zeroed
  bool dora = false;             // DoRA (Liu et al., 2024): trained magnitudes of the rows
  bool pissa = false;
  std::vector<std::string>
      targets;  // last parts of module names: q_proj, …; empty: every linear layer of a block
  uint64_t seed = 1;
};

struct TrainingOptions {
  // Data
  std::vector<std::string> data;
  std::vector<std::string> eval_data;
  double eval_share = 0;
  std::string format = "auto";
  std::vector<std::string> columns;
  std::string train_on = "last";
  int64_t sequence_length = 1024;
  std::string long_samples = "refuse";
  std::string packing = "first-fit";
  int64_t batch_tokens = 4096;
  int64_t accumulation = 1;

  // Model
  std::string model;
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

  // What is trained of it
  std::string tuning = "full";
  std::string base_type = "stored";
  LowRankOptions lora;  // its seed is `seed` below
  std::string adapter;
  int64_t trained_layers = 2;

  // Preferences
  double beta = 0.1;
  double orpo_lambda = 0.1;
  double desirable_weight = 1, undesirable_weight = 1;

  // Length and rates
  double epochs = 1;
  int64_t max_steps = 0;
  double learning_rate = 1e-3;
  double final_rate = 0.1;
  std::string schedule = "cosine";
  int64_t warmup_steps = 0;
  double warmup_share = 0.03;
  std::string optimiser = "adamw";
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double momentum = 0.95;
  double weight_decay = 0.1;
  double clip = 1;
  uint64_t seed = 1;

  // Outcome
  std::string output;
  std::string save_type = "auto";
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

  // Machine
  int threads = 0;
  std::string keep = "auto";
};

/// Calls visitor(name, value, help) for each option; names use underscores.
template <typename Visitor>
void visit_training_options(TrainingOptions& own, Visitor&& visitor) {
  visitor("data", own.data, "training files: .jsonl, .json, .csv, .tsv, .txt, .md");
  visitor("eval_data", own.eval_data, "files to evaluate on during training");
  visitor("eval_share", own.eval_share, "share of the training data that is kept back for evaluation");
  visitor("format", own.format,
          "form of the data: auto, text, triple, alpaca, sharegpt, messages, completion, preference, kto");
  visitor("columns", own.columns, "own names of fields, as question=prompt");
  visitor("train_on", own.train_on, "answers that are trained: last, all");
  visitor("sequence_length", own.sequence_length, "tokens of a sequence at most");
  visitor("long_samples", own.long_samples, "longer samples: refuse, drop, cut");
  visitor("packing", own.packing, "how samples share a batch: first-fit, sequential, none");
  visitor("batch_tokens", own.batch_tokens, "tokens of one forward and backward pass at most");
  visitor("accumulation", own.accumulation, "passes of one step");
  visitor(
      "model", own.model,
      "model to start from: a hub directory, for LoRA also a GGUF file; none: a new one with random weights");
  visitor("tokenizer", own.tokenizer, "directory with tokenizer.json of a new model");
  visitor("layers", own.layers, "new model: layers");
  visitor("hidden", own.hidden, "new model: width of the residual stream");
  visitor("heads", own.heads, "new model: query heads");
  visitor("key_value_heads", own.key_value_heads, "new model: key and value heads");
  visitor("intermediate", own.intermediate, "new model: width of the feed-forward");
  visitor("context_length", own.context_length, "new model: positions it is made for");
  visitor("rope_theta", own.rope_theta, "new model: base of the rotary frequencies");
  visitor("tie_embeddings", own.tie_embeddings, "new model: the output matrix is the embedding");
  visitor("initial_deviation", own.initial_deviation, "new model: standard deviation of random weights");
  visitor("name", own.name, "what the trained model is called");
  visitor("tuning", own.tuning, "what is trained: full, lora, freeze (the last trained_layers)");
  visitor("base_type", own.base_type, "LoRA: how the frozen matrices of the blocks are held: stored, nf4");
  visitor("lora_rank", own.lora.rank, "LoRA: rank");
  visitor("lora_alpha", own.lora.alpha, "LoRA: alpha; the term is scaled by alpha / rank");
  visitor("lora_targets", own.lora.targets, "LoRA: modules, as q_proj,v_proj; none: all linear layers");
  visitor("lora_plus", own.lora.plus_ratio, "LoRA+: learning rate of B over that of A");
  visitor("rslora", own.lora.rank_stabilised, "LoRA: scale by alpha / sqrt(rank)");
  visitor("lora_dropout", own.lora.dropout,
          "LoRA: share of the terms' inputs that is zeroed in training; 0 with adapter: as it says");
  visitor("dora", own.lora.dora,
          "DoRA: the magnitudes of the weights' rows are trained apart from their directions");
  visitor("pissa", own.lora.pissa, "PiSSA: LoRA begins with the principal part of the weights");
  visitor("adapter", own.adapter, "LoRA: PEFT directory to go on from");
  visitor("trained_layers", own.trained_layers, "freeze: layers that are trained, counted from the last");
  visitor("beta", own.beta, "DPO, KTO: strength of the tie to the reference model");
  visitor("orpo_lambda", own.orpo_lambda, "ORPO: weight of the odds ratio");
  visitor("desirable_weight", own.desirable_weight, "KTO: weight of desirable answers");
  visitor("undesirable_weight", own.undesirable_weight, "KTO: weight of the others");
  visitor("epochs", own.epochs, "times that the data is gone through");
  visitor("max_steps", own.max_steps, "steps in all; 0: as epochs say");
  visitor("learning_rate", own.learning_rate, "largest learning rate");
  visitor("final_rate", own.final_rate, "learning rate at the end, as a share of the largest");
  visitor("schedule", own.schedule, "way from the one to the other: cosine, linear, constant");
  visitor("warmup_steps", own.warmup_steps,
          "steps over which the rate rises from 0; 0: as warmup_share says");
  visitor("warmup_share", own.warmup_share, "the same as a share of all steps");
  visitor("optimiser", own.optimiser, "adamw, adamw-8bit (moments in 8 bits), muon");
  visitor("beta1", own.beta1, "AdamW: decay of the mean");
  visitor("beta2", own.beta2, "AdamW: decay of the mean square");
  visitor("epsilon", own.epsilon, "AdamW: added to the root");
  visitor("momentum", own.momentum, "Muon: momentum of matrices");
  visitor("weight_decay", own.weight_decay, "decay of matrices");
  visitor("clip", own.clip, "largest norm of all gradients; 0: not clipped");
  visitor("seed", own.seed, "seed of everything that is random");
  visitor("output", own.output, "directory for the model, checkpoints and logs");
  visitor("save_type", own.save_type,
          "type of the written weights: auto (the model's; new ones f32), f32, bf16, f16");
  visitor("save_steps", own.save_steps, "steps between checkpoints; 0: only at the end");
  visitor("keep_checkpoints", own.keep_checkpoints, "checkpoints that are kept");
  visitor("eval_steps", own.eval_steps, "steps between evaluations; 0: only at the end");
  visitor("patience", own.patience, "stop after so many evaluations without a better one; 0: never");
  visitor("save_best", own.save_best, "write the model of the best evaluation, not the last one");
  visitor("log_steps", own.log_steps, "steps between lines of the log; 0: only at the end");
  visitor("resume", own.resume, "continue from the newest good checkpoint in the output directory");
  visitor("overwrite", own.overwrite, "begin anew although the output directory has checkpoints");
  visitor(
      "spike", own.spike,
      "stop when the loss is this many running deviations, and at least 1, above its running mean; 0: never");
  visitor("samples", own.samples,
          "evaluation samples that the model answers after each evaluation, into samples.jsonl");
  visitor("sample_tokens", own.sample_tokens, "tokens of such an answer at most");
  visitor("ui", own.ui, "serve a page on this machine that shows the run while it goes on");
  visitor("ui_port", own.ui_port, "its port; 0: any free one");
  visitor("threads", own.threads, "threads; 0: one for each core");
  visitor("keep", own.keep,
          "kept for backward: auto, everything, layer-inputs (less memory, a third more work)");
}

}  // namespace r1
