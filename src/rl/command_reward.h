// A reward that a program of the user's gives. For the answers of a step it is started once, by /bin/sh: standard input has a
// line of JSON for each answer,
//   {"id": 0, "question": "…", "expected": "…", "reasoning": "…", "answer": "…", "output": "…", "finished": true, "record": {…}}
// and standard output must have {"id": 0, "reward": 0.5} for each, in any order. An answer that gets no line, a line that cannot
// be read, or a reward that is no finite number has no reward (kNoReward), never a made-up one. The program and all that it
// started are ended at the deadline.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "rl/reward.h"

namespace r1::rl {

/// `seconds`: for all answers of a step. `remark` is told, once a step, what went wrong and for how many answers.
std::unique_ptr<Reward> make_command_reward(std::string command, double seconds,
                                            std::function<void(const std::string&)> remark);

}  // namespace r1::rl
