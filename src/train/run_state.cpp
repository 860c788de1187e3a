#include "train/run_state.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace r1 {

nlohmann::json to_json(const RunState& state) {
  return {{"step", state.step},
          {"epoch", state.epoch},
          {"batch", state.batch},
          {"tokens", state.tokens},
          {"loss_mean", state.loss_mean},
          {"loss_variance", state.loss_variance},
          {"loss_count", state.loss_count},
          {"best_loss", state.best_loss},
          {"best_step", state.best_step},
          {"evaluations_since_best", state.evaluations_since_best},
          {"steps", state.steps},
          {"drops_rest", state.drops_rest},
          {"seconds", state.seconds},
          {"fingerprint", state.fingerprint},
          {"settings", state.settings}};
}

RunState read_run_state(const nlohmann::json& progress, const std::string& where) {
  RunState state;
  try {
    progress.at("step").get_to(state.step);
    progress.at("epoch").get_to(state.epoch);
    progress.at("batch").get_to(state.batch);
    progress.at("tokens").get_to(state.tokens);
    progress.at("loss_mean").get_to(state.loss_mean);
    state.loss_variance = progress.value("loss_variance", 0.0);  // checkpoints of before had none
    progress.at("loss_count").get_to(state.loss_count);
    progress.at("best_loss").get_to(state.best_loss);
    progress.at("best_step").get_to(state.best_step);
    progress.at("evaluations_since_best").get_to(state.evaluations_since_best);
    state.steps = progress.value("steps", int64_t{0});  // nor these two
    state.drops_rest = progress.value("drops_rest", true);
    progress.at("seconds").get_to(state.seconds);
    progress.at("fingerprint").get_to(state.fingerprint);
    progress.at("settings").get_to(state.settings);
  } catch (const nlohmann::json::exception& error) {
    throw_error(ErrorKind::bad_file, "{}: {}", where, error.what());
  }
  return state;
}

void require_same_run(const std::string& where, const RunState& found, const RunState& present) {
  for (const auto& [name, value] : found.settings) {
    const auto now = present.settings.find(name);
    if (now == present.settings.end() || now->second == value) continue;
    throw_error(ErrorKind::invalid_argument,
                "{}: {}: expected {} as the run began, found {}; use its options, or overwrite to begin anew",
                where, name, value, now->second);
  }
  if (found.fingerprint != present.fingerprint) {
    throw_error(ErrorKind::invalid_argument,
                "{}: belongs to a run with other data or trained weights; use its options, or --overwrite",
                where);
  }
}

}  // namespace r1
