// Knights, who always tell the truth, and knaves, who always lie: who is what.
#include <fmt/format.h>

#include <vector>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

/// What a speaker says about others, by their numbers.
struct Claim {
  enum class Form { knight, knave, same, different } form;
  size_t first, second;  // `second` for same and different alone
};

/// Bit i: person i is a knight.
using Assignment = unsigned;

bool is_knight(Assignment assignment, size_t person) {
  return (assignment >> person & 1U) != 0;
}

bool is_true(const Claim& claim, Assignment assignment) {
  switch (claim.form) {
    case Claim::Form::knight:
      return is_knight(assignment, claim.first);
    case Claim::Form::knave:
      return !is_knight(assignment, claim.first);
    case Claim::Form::same:
      return is_knight(assignment, claim.first) == is_knight(assignment, claim.second);
    default:
      return is_knight(assignment, claim.first) != is_knight(assignment, claim.second);
  }
}

/// Assignments in the order of the trace: all knights first, the last person changes first.
std::vector<Assignment> all_assignments(size_t people) {
  std::vector<Assignment> result;
  for (unsigned i = 0; i < 1U << people; ++i) {
    Assignment assignment = 0;
    for (size_t person = 0; person < people; ++person) {
      if ((i >> (people - 1 - person) & 1U) == 0) assignment |= 1U << person;
    }
    result.push_back(assignment);
  }
  return result;
}

bool is_consistent(const std::vector<Claim>& claims, Assignment assignment) {
  for (size_t speaker = 0; speaker < claims.size(); ++speaker) {
    if (is_true(claims[speaker], assignment) != is_knight(assignment, speaker)) return false;
  }
  return true;
}

std::vector<Claim> draw_claims(Draw& draw, size_t people) {
  for (;;) {
    std::vector<Claim> claims;
    for (size_t speaker = 0; speaker < people; ++speaker) {
      const auto form = static_cast<Claim::Form>(draw.between(0, 3));
      size_t other = static_cast<size_t>(draw.between(0, static_cast<int64_t>(people) - 2));
      if (other >= speaker) ++other;
      claims.push_back({form, other, speaker});
      // "Same" and "different" of the speaker and another; for three people also of the two others.
      if (form == Claim::Form::same || form == Claim::Form::different) {
        claims.back().first = speaker, claims.back().second = other;
        if (people == 3 && draw.chance(0.3)) claims.back().first = 3 - speaker - other;
      }
    }
    int solutions = 0;
    for (const Assignment assignment : all_assignments(people))
      solutions += is_consistent(claims, assignment) ? 1 : 0;
    if (solutions == 1) return claims;
  }
}

/// "B=K", "A≠B": for the trace and the canonical form.
std::string short_form(const Claim& claim, const std::vector<std::string>& names, std::string_view knight,
                       std::string_view knave) {
  switch (claim.form) {
    case Claim::Form::knight:
      return fmt::format("{}={}", names[claim.first], knight);
    case Claim::Form::knave:
      return fmt::format("{}={}", names[claim.first], knave);
    case Claim::Form::same:
      return fmt::format("{}={}", names[claim.first], names[claim.second]);
    default:
      return fmt::format("{}≠{}", names[claim.first], names[claim.second]);
  }
}

std::string spoken(Draw& draw, const Claim& claim, const std::vector<std::string>& names, size_t speaker,
                   bool zh) {
  const Values values = {{"a", names[claim.first]}, {"b", names[claim.second]}};
  const bool with_speaker = claim.first == speaker;
  static constexpr const char* knight[] = {"{a} is a knight", "{a} always tells the truth",
                                           "{a} is no knave"};
  static constexpr const char* knave[] = {"{a} is a knave", "{a} always lies", "{a} is no knight"};
  static constexpr const char* chinese_knight[] = {"{a}是骑士", "{a}说真话"};
  static constexpr const char* chinese_knave[] = {"{a}是无赖", "{a}说假话"};
  switch (claim.form) {
    case Claim::Form::knight:
      return fill(zh ? draw.pick(chinese_knight) : draw.pick(knight), values);
    case Claim::Form::knave:
      return fill(zh ? draw.pick(chinese_knave) : draw.pick(knave), values);
    case Claim::Form::same:
      if (with_speaker) return fill(zh ? "我和{b}是同一种人" : "{b} and I are the same", values);
      return fill(zh ? "{a}和{b}是同一种人" : "{a} and {b} are the same", values);
    default:
      if (with_speaker) return fill(zh ? "我和{b}不是同一种人" : "{b} and I are different", values);
      return fill(zh ? "{a}和{b}不是同一种人" : "{a} and {b} are different", values);
  }
}

std::vector<std::string> draw_names(Draw& draw, size_t people, bool zh) {
  static constexpr const char* names[] = {"Anna", "Ben", "Tom", "Lily", "Emma", "Jack", "Mia", "Leo"};
  static constexpr const char* chinese_names[] = {"小明", "小红", "小刚", "小丽",
                                                  "小华", "小李", "小张", "小芳"};
  if (draw.chance(0.5)) return {"A", "B", "C"};
  const auto first = static_cast<size_t>(draw.between(0, 7));
  const auto step = static_cast<size_t>(draw.between(1, 3));
  std::vector<std::string> result;
  for (size_t i = 0; i < people; ++i) {
    const size_t at = (first + i * step) % 8;
    result.emplace_back(zh ? chinese_names[at] : names[at]);
  }
  return result;
}

}  // namespace

Problem make_knights(Task& task) {
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  const size_t people = task.level <= 2 ? 2 : 3;
  const std::vector<Claim> claims = draw_claims(draw, people);
  const std::vector<std::string> names = draw_names(draw, people, zh);
  static constexpr const char* english[] = {
      "On an island knights always tell the truth and knaves always lie.",
      "Knights tell the truth, knaves lie.", "Each person is a knight (honest) or a knave (liar)."};
  static constexpr const char* chinese[] = {"岛上骑士总说真话，无赖总说假话。", "骑士说真话，无赖说假话。"};
  static constexpr const char* ends[] = {"Who is what?", "Who is a knight and who is a knave?"};
  static constexpr const char* chinese_ends[] = {"他们各是什么人？", "谁是骑士，谁是无赖？"};
  std::string question = zh ? draw.pick(chinese) : draw.pick(english);
  std::string canonical = fmt::format("knights({}", people), answer;
  Working working(task.detail);
  const std::string knight = zh ? "骑" : "K", knave = zh ? "无" : "N";
  for (size_t speaker = 0; speaker < people; ++speaker) {
    const std::string claim = spoken(draw, claims[speaker], names, speaker, zh);
    question += zh ? fmt::format("{}说：“{}。”", names[speaker], claim)
                   : fmt::format(" {} says: \"{}.\"", names[speaker], claim);
    working.line(fmt::format("{}: {}", names[speaker], short_form(claims[speaker], names, knight, knave)));
    fmt::format_to(std::back_inserter(canonical), ";{}:{}", "ABC"[speaker],
                   short_form(claims[speaker], {"A", "B", "C"}, "K", "N"));
  }
  question += (zh ? "" : " ") + std::string(zh ? draw.pick(chinese_ends) : draw.pick(ends));
  for (const Assignment assignment : all_assignments(people)) {
    std::string line;
    for (size_t person = 0; person < people; ++person) {
      fmt::format_to(std::back_inserter(line), "{}{}={}", person == 0 ? "" : " ", names[person],
                     is_knight(assignment, person) ? knight : knave);
    }
    line += ":";
    bool holds = true;
    for (size_t speaker = 0; speaker < people && holds; ++speaker) {
      const bool says_truth = is_true(claims[speaker], assignment);
      holds = says_truth == is_knight(assignment, speaker);
      fmt::format_to(std::back_inserter(line), " {} {} {}", names[speaker],
                     says_truth ? (zh ? "真" : "true") : (zh ? "假" : "false"),
                     holds ? (zh ? "对" : "ok") : (zh ? "错" : "no"));
    }
    working.line(line);
    if (!holds) continue;
    for (size_t person = 0; person < people; ++person) {
      const bool honest = is_knight(assignment, person);
      answer += person == 0 ? "" : zh ? "，" : ", ";
      answer += zh ? fmt::format("{}是{}", names[person], honest ? "骑士" : "无赖")
                   : fmt::format("{} is a {}", names[person], honest ? "knight" : "knave");
    }
    break;
  }
  return {"knights",
          task.level,
          canonical + ")",
          std::move(question),
          working.text(),
          boxed(task.language, answer),
          {},
          task.language};
}

}  // namespace r1::tasks
