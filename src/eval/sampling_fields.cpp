#include "eval/sampling_fields.h"

#include <array>
#include <charconv>

namespace r1::eval {

double decimal(float value) {
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double result = 0;
  std::from_chars(text.data(), written.ptr, result);
  return result;
}

std::map<std::string, double> further_sampling(const SamplingOptions& options) {
  const SamplingOptions off;
  std::map<std::string, double> fields;
  const auto add = [&](const char* name, double value, double unused) {
    if (value != unused) fields[name] = value;
  };
  add("top_k", options.top_k, off.top_k);
  add("min_p", decimal(options.min_p), off.min_p);
  add("typical_p", decimal(options.typical_p), off.typical_p);
  add("repetition_penalty", decimal(options.repetition_penalty), off.repetition_penalty);
  add("presence_penalty", decimal(options.presence_penalty), off.presence_penalty);
  add("frequency_penalty", decimal(options.frequency_penalty), off.frequency_penalty);
  if (fields.contains("repetition_penalty")) fields["repeat_last_n"] = options.penalty_window;
  add("dry_multiplier", decimal(options.dry_multiplier), off.dry_multiplier);
  if (fields.contains("dry_multiplier")) {
    fields["dry_base"] = decimal(options.dry_base);
    fields["dry_allowed_length"] = options.dry_allowed_length;
    fields["dry_penalty_last_n"] = options.dry_window;
  }
  return fields;
}

}  // namespace r1::eval
