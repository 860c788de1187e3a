#include "tasks/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "base/hash.h"
#include "tasks/style.h"

namespace r1::tasks {
namespace {

constexpr int64_t kMisses = 20000;  // draws without a new problem before the problems count as used up

uint64_t hash_text(std::string_view text) {
  return mix_bits(fnv1a(text));
}

template <typename List, typename Weight>
auto& pick_weighted(Draw& draw, const List& list, Weight weight) {
  double total = 0;
  for (const auto& entry : list) total += weight(entry);
  double at = static_cast<double>(draw.between(0, (int64_t{1} << 40) - 1)) * 0x1.0p-40 * total;
  for (const auto& entry : list) {
    at -= weight(entry);
    if (at < 0) return entry;
  }
  return list.back();
}

Problem make_problem(Task& task, const std::string& kind) {
  static const std::map<std::string, Problem (*)(Task&)> makers = {{"chain", make_chain},
                                                                   {"equation", make_equation},
                                                                   {"comparison", make_comparison},
                                                                   {"percent", make_percent},
                                                                   {"unit", make_unit},
                                                                   {"word", make_word_problem},
                                                                   {"chat", make_chat},
                                                                   {"power", make_power},
                                                                   {"root", make_root},
                                                                   {"gcd", make_gcd},
                                                                   {"lcm", make_lcm},
                                                                   {"factor", make_factor},
                                                                   {"fraction", make_fraction},
                                                                   {"sequence", make_sequence},
                                                                   {"letters", make_letters},
                                                                   {"sorting", make_sorting},
                                                                   {"date", make_date},
                                                                   {"heads", make_heads_and_legs},
                                                                   {"countdown", make_countdown},
                                                                   {"knights", make_knights}};
  const auto maker = makers.find(kind);
  return maker == makers.end() ? make_calculation(task, kind) : maker->second(task);
}

void check(const CorpusOptions& options) {
  if (options.kinds.empty() || options.levels.empty() || options.languages.empty()) {
    throw_error(ErrorKind::invalid_argument,
                "corpus: expected at least one kind, level and language, found {}, {} and {}",
                options.kinds.size(), options.levels.size(), options.languages.size());
  }
  for (const KindWeight& kind : options.kinds) {
    const std::vector<std::string> known = kind_names();
    if (std::ranges::find(known, kind.kind) == known.end()) {
      throw_error(ErrorKind::invalid_argument, "corpus: kind: expected one of {}, found '{}'",
                  fmt::join(known, ", "), kind.kind);
    }
    if (!(kind.weight > 0)) {
      throw_error(ErrorKind::invalid_argument, "corpus: share of {}: expected more than 0, found {}",
                  kind.kind, kind.weight);
    }
  }
  for (const int level : options.levels) {
    if (level < 1 || level > 4)
      throw_error(ErrorKind::invalid_argument, "corpus: level: expected 1 to 4, found {}", level);
  }
  if (options.full < 0 || options.brief < 0 || options.none < 0 ||
      !(options.full + options.brief + options.none > 0)) {
    throw_error(ErrorKind::invalid_argument,
                "corpus: shares of traces: expected numbers of 0 or more, not all 0, found {}, {} and {}",
                options.full, options.brief, options.none);
  }
  check_style(options.style);
  if (options.count < 0)
    throw_error(ErrorKind::invalid_argument, "corpus: count: expected 0 or more, found {}", options.count);
}

class Maker {
 public:
  explicit Maker(const CorpusOptions& options) : options_(options) {}

  /// The problem of draw `counter`, whatever its split.
  Problem make(Draw& draw) const {
    const KindWeight& kind =
        pick_weighted(draw, options_.kinds, [](const KindWeight& k) { return k.weight; });
    const Language language = draw.pick(options_.languages);
    const int level = draw.pick(options_.levels);
    Task task{draw, level, language, draw_detail(draw)};
    return make_problem(task, kind.kind);
  }

  void decorate(Problem& problem, Draw& draw) const {
    const bool chinese = problem.language == Language::chinese;
    if (problem.kind != "chat" && draw.chance(options_.box_instruction)) {
      problem.question += chinese ? (draw.chance(0.5) ? "\n请一步一步推理，并把最终答案放在\\boxed{}中。"
                                                      : "\n请逐步推理，把最终答案写在\\boxed{}里。")
                                  : (draw.chance(0.5) ? "\n" : " ");
      if (!chinese)
        problem.question += "Please reason step by step, and put your final answer within \\boxed{}.";
    }
    if (!draw.chance(options_.history)) return;
    const int64_t turns = draw.between(1, 2);
    while (static_cast<int64_t>(problem.history.size()) < turns) {
      Problem before = make(draw);
      // Earlier turns teach nothing, but a test problem must not stand in the training split even there.
      if (split_of(before.canonical) != Split::train) continue;
      problem.history.emplace_back(std::move(before.question), std::move(before.answer));
    }
  }

 private:
  Detail draw_detail(Draw& draw) const {
    const double total = options_.full + options_.brief + options_.none;
    if (draw.chance(options_.full / total)) return Detail::full;
    return draw.chance(options_.brief / (options_.brief + options_.none)) ? Detail::brief : Detail::none;
  }

  const CorpusOptions& options_;
};

}  // namespace

const std::vector<KindWeight>& default_mixture() {
  static const std::vector<KindWeight> mixture = {
      {"addition", 11},  {"subtraction", 13}, {"multiplication", 7}, {"division", 6},
      {"arithmetic", 9}, {"equation", 7},     {"comparison", 5},     {"percent", 5},
      {"unit", 3},       {"word", 11},        {"power", 3},          {"root", 2},
      {"gcd", 2},        {"lcm", 2},          {"factor", 2},         {"fraction", 4},
      {"sequence", 3},   {"letters", 5},      {"sorting", 3},        {"date", 3},
      {"heads", 2},      {"countdown", 3},    {"knights", 2},        {"chat", 6}};
  return mixture;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names = {"chain"};
  for (const KindWeight& entry : default_mixture()) names.push_back(entry.kind);
  return names;
}

Split split_of(const std::string& canonical) {
  // Small talk has few wordings, and all of them shall be learnt, but for those with endless subjects.
  if (canonical.starts_with("chat:") && !canonical.starts_with("chat:unknown:") &&
      !canonical.starts_with("chat:too-large:")) {
    return Split::train;
  }
  // The largest and the smallest of the same numbers go together.
  std::string_view problem = canonical;
  if (problem.starts_with("max(") || problem.starts_with("min(")) problem.remove_prefix(3);
  return hash_text(problem) % 20 == 0 ? Split::test : Split::train;
}

int64_t make_corpus(const CorpusOptions& options, const std::function<void(const Problem&)>& emit) {
  check(options);
  const Maker maker(options);
  const bool distinct = options.distinct || options.split == Split::test;
  std::unordered_set<std::string> seen;
  int64_t made = 0, misses = 0;
  for (uint64_t counter = 0; made < options.count && misses < kMisses; ++counter) {
    Draw draw(random_bits(options.seed, counter));
    Problem problem = maker.make(draw);
    ++misses;
    if (split_of(problem.canonical) != options.split) continue;
    if (distinct && !seen.insert(problem.canonical).second) continue;
    misses = 0;
    maker.decorate(problem, draw);
    apply_style(problem, options.style, draw);
    emit(problem);
    ++made;
  }
  return made;
}

namespace {

void add_history(const Problem& problem, nlohmann::ordered_json& line) {
  if (problem.history.empty()) return;
  line["history"] = nlohmann::ordered_json::array();
  for (const auto& [question, answer] : problem.history) {
    line["history"].push_back({{"question", question}, {"answer", answer}});
  }
}

void add_facts(const Problem& problem, nlohmann::ordered_json& line) {
  line["kind"] = problem.kind;
  line["level"] = problem.level;
  line["language"] = problem.language == Language::chinese ? "zh" : "en";
  line["canonical"] = problem.canonical;
}

nlohmann::ordered_json to_json(const Problem& problem) {
  nlohmann::ordered_json line;
  add_history(problem, line);
  line["question"] = problem.question;
  line["think"] = problem.think;
  line["answer"] = problem.answer;
  add_facts(problem, line);
  return line;
}

std::string whole_answer(const Problem& problem) {
  return problem.think.empty() ? problem.answer
                               : "<think>\n" + problem.think + "\n</think>\n\n" + problem.answer;
}

}  // namespace

std::string to_json_line(const Problem& problem) {
  return to_json(problem).dump();
}

std::string to_labelled_line(const Problem& problem, bool label) {
  nlohmann::ordered_json line = to_json(problem);
  line["label"] = label;
  return line.dump();
}

std::string to_pair_line(const Problem& problem, const Problem& slip) {
  nlohmann::ordered_json line;
  add_history(problem, line);
  line["prompt"] = problem.question;
  line["chosen"] = whole_answer(problem);
  line["rejected"] = whole_answer(slip);
  add_facts(problem, line);
  return line.dump();
}

std::optional<Problem> with_slip(const Problem& problem) {
  const size_t open = problem.answer.find('{'), close = problem.answer.find('}');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  const std::string right = problem.answer.substr(open + 1, close - open - 1);
  if (right.empty() || right.size() > 9 || right.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  Draw draw(hash_text(problem.canonical));
  static constexpr int64_t offsets[] = {1, 2, 10, -1, -2, -10};
  int64_t value = std::stoll(right) + draw.pick(offsets);
  if (value < 0) value = std::stoll(right) + 1;
  const std::string wrong = std::to_string(value);
  Problem slip = problem;
  slip.answer.replace(open + 1, right.size(), wrong);
  if (slip.think.ends_with("=" + right)) {
    slip.think.replace(slip.think.size() - right.size(), right.size(), wrong);
  }
  return slip;
}

}  // namespace r1::tasks
