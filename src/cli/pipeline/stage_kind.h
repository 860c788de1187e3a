// The kinds of stages: which command each runs, and what it leaves for later stages.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace r1::cli {

/// One row a kind.
struct StageKind {
  std::string_view name;
  std::vector<std::string_view> command;      // words behind "r1"
  std::string_view output_option;             // where it writes: set by the pipeline
  std::string_view product;                   // what it writes, in the stage's folder: what "@NAME" names
  bool leaves_model = false;                  // that can be asked questions
  std::vector<std::string_view> fixed{};      // further arguments
  std::vector<std::string_view> continued{};  // and those of a stage that was interrupted
};

std::span<const StageKind> stage_kinds();
/// Null: there is none of that name.
const StageKind* find_stage_kind(std::string_view name);

}  // namespace r1::cli
