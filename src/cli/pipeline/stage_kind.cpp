#include "cli/pipeline/stage_kind.h"

#include <algorithm>

namespace r1::cli {

std::span<const StageKind> stage_kinds() {
  static const std::vector<StageKind> kKinds = {
      {"data", {"data", "make"}, "out", "data.jsonl"},
      {"tokenizer", {"train", "tokenizer"}, "out", "tokenizer"},
      {"pretrain", {"train", "pretrain"}, "output", "model", true, {}, {"--resume"}},
      {"sft", {"train", "sft"}, "output", "model", true, {}, {"--resume"}},
      {"dpo", {"train", "dpo"}, "output", "model", true, {}, {"--resume"}},
      {"kto", {"train", "kto"}, "output", "model", true, {}, {"--resume"}},
      {"orpo", {"train", "orpo"}, "output", "model", true, {}, {"--resume"}},
      {"reward", {"train", "reward"}, "output", "model", false, {}, {"--resume"}},
      {"grpo", {"train", "grpo"}, "output", "model", true, {}, {"--resume"}},
      {"distill", {"distill"}, "output", "distilled/student", true},
      {"reject", {"distill"}, "output", "distilled/kept.jsonl", false, {"--samples-only"}},
      {"evaluate", {"eval"}, "out", "answers", false, {"questions"}},
      {"merge", {"merge"}, "output", "model", true},
      {"convert", {"convert"}, "output", "model.gguf", true},
      {"quantize", {"quantize"}, "output", "model.gguf", true},
  };
  return kKinds;
}

const StageKind* find_stage_kind(std::string_view name) {
  const auto kinds = stage_kinds();
  const auto found = std::ranges::find(kinds, name, &StageKind::name);
  return found == kinds.end() ? nullptr : &*found;
}

}  // namespace r1::cli
