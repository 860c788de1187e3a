#include "cli/pipeline/training_curves.h"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace r1::cli {
namespace {

struct CurveName {
  const char* title;
  const char* field;  // of the log; "eval_" and it: of the held-out questions
};
constexpr auto kPolicyCurves = std::to_array<CurveName>({{"reward", "reward"},
                                                         {"pass@1", "pass@1"},
                                                         {"tokens of an answer", "completions/mean_length"},
                                                         {"entropy of a token", "entropy"},
                                                         {"format", "rewards/format/mean"},
                                                         {"one language", "rewards/language/mean"}});
constexpr auto kLossCurves = std::to_array<CurveName>({{"loss", "loss"}});

using Entry = nlohmann::json;

void add_point(std::vector<std::pair<double, double>>& curve, const Entry& entry, const std::string& field) {
  const auto value = entry.find(field);
  if (value != entry.end() && value->is_number())
    curve.emplace_back(entry.value("current_steps", 0.0), value->get<double>());
}

}  // namespace

std::vector<TrainingCurve> read_training_curves(const std::filesystem::path& log) {
  std::ifstream in(log);
  std::vector<Entry> entries;
  for (std::string line; std::getline(in, line);) {
    Entry entry = parse_json_or_discard<Entry>(line);  // a run that was killed may end within a line
    if (entry.is_object()) entries.push_back(std::move(entry));
  }
  bool is_policy = false;
  for (const Entry& entry : entries) is_policy |= entry.contains("reward");
  const std::span<const CurveName> names =
      is_policy ? std::span<const CurveName>(kPolicyCurves) : kLossCurves;
  std::vector<TrainingCurve> curves;
  for (const CurveName& name : names) {
    TrainingCurve curve{name.title, {}, {}};
    for (const Entry& entry : entries) {
      add_point(curve.training, entry, name.field);
      add_point(curve.held_out, entry, std::string("eval_") + name.field);
    }
    if (curve.training.size() + curve.held_out.size() > 1) curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace r1::cli
