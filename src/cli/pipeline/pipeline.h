// Runs a recipe's stages in order. OUTPUT/
//   report.html, report.md, report.json    the whole run
//   NAME/                                  of each stage: its product (stage_kind.h) and
//     stage.json                             its hash, whether it is done, its time
//     log.txt                                what its command printed
//     evaluation/                            the run of its evaluation (docs/evaluation.md)
//
// The hash of a stage is over its options and the contents of its inputs. A stage that is done with the same hash is skipped; one
// that was interrupted continues; one whose hash differs is done again from the beginning.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/pipeline/recipe.h"

namespace r1::cli {

enum class StageState { absent, interrupted, changed, done };

/// stage.json.
struct StageRecord {
  std::string hash, product_hash;  // product_hash: of what the stage left; empty: it is not done
  std::string evaluation_begun;    // hash of the evaluation in evaluation/
  std::string evaluation_hash;     // the same, when it is done
  double seconds = 0, evaluation_seconds = 0;
};

/// Of a file, or of a folder with a model, a tokenizer or data: logs and checkpoints do not count.
std::string content_hash_of(const std::filesystem::path& path);

/// Folders, references and hashes of a recipe's stages.
class PipelineFolder {
 public:
  PipelineFolder(const Recipe& recipe, std::filesystem::path output);

  const std::filesystem::path& path() const { return output_; }
  std::filesystem::path folder_of(const RecipeStage& stage) const { return output_ / stage.name; }
  std::filesystem::path product_of(const RecipeStage& stage) const {
    return folder_of(stage) / stage.kind->product;
  }
  /// What the stage's command is told to write: the product, or a folder with it.
  std::filesystem::path output_of(const RecipeStage& stage) const;
  std::filesystem::path evaluation_of(const RecipeStage& stage) const {
    return folder_of(stage) / "evaluation";
  }

  /// Throws Error(bad_file) for a damaged file. A missing one: an empty record.
  StageRecord read_record(const RecipeStage& stage) const;
  void write_record(const RecipeStage& stage, const StageRecord& record) const;

  /// What a reference names.
  std::filesystem::path path_of(const Reference& reference) const;
  /// "@NAME" as the path of what the stage leaves; other values as they are.
  std::string resolve(const std::string& value) const;
  /// Of the stage's command and evaluation: what `r1` is called with.
  std::vector<std::string> command_of(const RecipeStage& stage, bool continues) const;
  std::vector<std::string> evaluation_command_of(const RecipeStage& stage) const;

  /// Empty: an input is not there yet.
  std::string hash_of(const RecipeStage& stage) const;
  std::string evaluation_hash_of(const RecipeStage& stage) const;
  StageState state_of(const RecipeStage& stage) const;

 private:
  const RecipeStage& stage_named(const std::string& name) const;
  bool append_options(std::string& text, const std::vector<StageOption>& options) const;

  const Recipe& recipe_;
  std::filesystem::path output_;
};

/// Throws Error: what a stage's command said, with the stage; cancelled: the text says how to go on.
void run_pipeline(const Recipe& recipe, const std::filesystem::path& output);

}  // namespace r1::cli
