// A recipe: stages in order, each a command of r1 with its options, that take what earlier stages left.
//
//   output = "build/run"
//   [evaluation]              # options of `r1 eval questions`, asked of each stage that leaves a model; may be missing
//   data = "@held-out"
//   samples = 16
//   [[stage]]
//   name = "held-out"
//   kind = "data"             # stage_kind.h
//   count = 400               # options of the command
//   [[stage]]
//   name = "tune"
//   kind = "sft"
//   data = ["@kept", "more.jsonl"]     # "@NAME": what an earlier stage left; "@NAME/FILE": a file in its folder
//   evaluate = false          # of this stage alone
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/pipeline/stage_kind.h"
#include "train/options.h"
#include "train/stage.h"

namespace r1::cli {

struct StageOption {
  std::string name;                 // as the recipe spells it
  bool positional = false;          // given without its name
  int64_t place = 0;                // among the command's options
  std::vector<std::string> values;  // of a flag "true" or "false"
  int64_t line = 0;
};

struct RecipeStage {
  std::string name;
  const StageKind* kind = nullptr;
  int64_t line = 0;
  bool evaluate = false;
  std::vector<StageOption> options;
  /// Of stages that train: the same options, checked together; "@NAME" as it is in the recipe.
  std::optional<TrainingStage> stage;
  TrainingOptions training;

  /// The first value; empty: not given.
  std::string value(std::string_view option) const;
};

struct Recipe {
  std::string path, title, output;
  std::vector<StageOption> evaluation;  // empty: stages are not evaluated
  std::vector<RecipeStage> stages;
};

/// `root`: of the program, whose commands declare the options. Throws Error(bad_file) "file:line: …" for an unknown kind or option, a
/// value that the option refuses, an input that no earlier stage leaves, a name that is given twice.
Recipe read_recipe(Command root, const std::string& path);

/// "@NAME", "@NAME/FILE"; also behind a colon and before "=", as in the reward "model:@NAME=0.2".
struct Reference {
  std::string before, stage, file, behind;  // file: empty: the stage's product
};
/// Nothing: it is no reference.
std::optional<Reference> reference_of(const std::string& value);

}  // namespace r1::cli
