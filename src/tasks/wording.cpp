#include "tasks/wording.h"

#include <fmt/format.h>

#include <cctype>

#include "tasks/number_words.h"

namespace r1::tasks {
namespace {

// {e}: the phrase.
constexpr const char* kQuestions[] = {"what is {e}",
                                      "what is {e}",
                                      "what is {e}",
                                      "what's {e}",
                                      "what's {e}",
                                      "whats {e}",
                                      "how much is {e}",
                                      "how much is {e}",
                                      "do you know what {e} is",
                                      "can you tell me what {e} is",
                                      "could you tell me what {e} is",
                                      "what would {e} be",
                                      "so what is {e}",
                                      "and what is {e}",
                                      "any idea what {e} is",
                                      "what exactly is {e}",
                                      "wat is {e}",
                                      "how many is {e}",
                                      "what is {e} equal to",
                                      "what's {e} equal to",
                                      "how much would {e} be",
                                      "I wonder, what is {e}"};
// Not for noun phrases.
constexpr const char* kValueQuestions[] = {"what does {e} equal",
                                           "what does {e} make",
                                           "what does {e} come to",
                                           "how much does {e} make",
                                           "what do you get for {e}",
                                           "what do I get for {e}",
                                           "what is the result of {e}",
                                           "what is the value of {e}",
                                           "what is the answer to {e}",
                                           "what's the answer to {e}",
                                           "what's the result of {e}",
                                           "{e} is what",
                                           "{e} equals what",
                                           "{e} is how much",
                                           "{e} makes what",
                                           "how much will {e} be",
                                           "what number is {e}",
                                           "{e} is equal to what",
                                           "{e} gives what",
                                           "what does {e} give",
                                           "how would you calculate {e}",
                                           "can you do {e}",
                                           "what number do you get from {e}",
                                           "what will {e} give"};
constexpr const char* kHelpers[] = {"",
                                    "",
                                    "",
                                    "",
                                    "",
                                    "please ",
                                    "please ",
                                    "can you ",
                                    "could you ",
                                    "would you ",
                                    "can you please ",
                                    "could you please ",
                                    "can you help me ",
                                    "help me ",
                                    "I want you to ",
                                    "I need you to ",
                                    "I'd like you to ",
                                    "let's ",
                                    "kindly ",
                                    "now "};
constexpr const char* kVerbs[] = {"calculate", "calculate", "calculate", "compute",    "compute",
                                  "work out",  "evaluate",  "find",      "figure out", "solve",
                                  "determine", "tell me",   "give me",   "do",         "calc"};
constexpr const char* kObjects[] = {"", "", "", "", "the value of ", "the result of ", "the answer to "};
constexpr const char* kStatements[] = {"I need {e}",
                                       "I want to know {e}",
                                       "I'd like to know what {e} is",
                                       "I need to know what {e} is",
                                       "I wonder what {e} is",
                                       "tell me what {e} is",
                                       "tell me how much {e} is",
                                       "I can't work out {e}",
                                       "I need the result of {e}",
                                       "I am stuck on {e}",
                                       "do the math for {e}",
                                       "give the answer to {e}",
                                       "please do {e}"};
// Between a verb and a calculation.
constexpr const char* kGaps[] = {" ", " ", " ", " ", " ", " ", " ", " ", ": ", " this: ", " the following: "};
// Behind a calculation without a frame.
constexpr const char* kAfterwards[] = {
    ", what is it", ", what's the answer", ". What is the answer", ", what is the result", " answer",
    " solve",       ", what does it make", ", give me the answer"};
// "The sum of 3 and 4" without a frame.
constexpr const char* kNounEnds[] = {"",        "",     "?", "?", " is",     " is?",
                                     " equals", " = ?", ":", ".", " is what"};
// {e}: a request.
constexpr const char* kResultQuestions[] = {"what do you get if you {e}",     "what do you get when you {e}",
                                            "what do I get if I {e}",         "what is the result if you {e}",
                                            "what's the answer when you {e}", "if you {e}, what do you get",
                                            "if I {e}, how much is it",       "what happens if I {e}",
                                            "what do we have after we {e}",   "how much is it when you {e}"};
constexpr const char* kSpokenEnds[] = {"",   "",     "",    "?",    "?",      " equals", " equals?",
                                       " =", " = ?", " is", " is?", " makes", "."};
constexpr const char* kSignEnds[] = {"",   "",    "",        "",         "=",   "=",   " =",  " =",
                                     "=?", "=?",  " = ?",    " = ?",     "?",   " ?",  " =?", "= ?",
                                     ".",  "=??", " equals", " equals?", " is", " is?"};

constexpr const char* kOpenings[] = {"Hi, ",
                                     "Hi! ",
                                     "Hello, ",
                                     "Hello! ",
                                     "Hey, ",
                                     "hey ",
                                     "Quick question: ",
                                     "quick question, ",
                                     "Question: ",
                                     "Q: ",
                                     "I have a question: ",
                                     "Could you help me? ",
                                     "Maths question: ",
                                     "Math: ",
                                     "So, ",
                                     "OK, ",
                                     "ok ",
                                     "Next: ",
                                     "Next one: ",
                                     "Homework: ",
                                     "I need help with this: ",
                                     "For my homework: ",
                                     "Just curious: ",
                                     "Excuse me, ",
                                     "Good morning! ",
                                     "My son asks: ",
                                     "Problem: ",
                                     "Exercise: ",
                                     "One more: ",
                                     "Simple one: ",
                                     "Please help: "};
constexpr const char* kTails[] = {" please",  ", please",    " for me",       ", thanks",   " pls",
                                  " quickly", ", thank you", " step by step", ", my friend"};
constexpr const char* kRemarks[] = {"Thanks!",
                                    "Thank you.",
                                    "thanks",
                                    "thx",
                                    "Thanks in advance.",
                                    "Show your work.",
                                    "Explain your steps.",
                                    "I need it for my homework.",
                                    "My teacher wants to know.",
                                    "Please show the steps.",
                                    "It is for school.",
                                    "Be careful.",
                                    "I am not good at maths.",
                                    "I have no calculator here.",
                                    "Please.",
                                    "No hurry.",
                                    "Check it twice."};

constexpr const char* kChineseQuestions[] = {
    "{e}等于多少", "{e}等于多少", "{e}等于几",       "{e}等于几",       "{e}是多少",     "{e}是多少",
    "{e}得多少",   "{e}得几",     "{e}的结果是多少", "{e}的结果是什么", "{e}结果是多少", "{e}的值是多少",
    "{e}是几",     "{e}为多少",   "{e}等于什么",     "{e}的答案是多少", "{e}多少",       "{e}一共是多少"};
constexpr const char* kChineseHelpers[] = {"",           "",         "",     "",       "请",   "请",
                                           "请你",       "帮我",     "帮我", "请帮我", "麻烦", "麻烦你",
                                           "能不能帮我", "可以帮我", "帮忙", "我想",   "你能"};
constexpr const char* kChineseVerbs[] = {"计算", "计算", "计算", "算一下", "算一下", "算",       "算算",
                                         "算出", "求",   "求",   "求出",   "口算",   "计算一下", "解答"};
constexpr const char* kChineseObjects[] = {"", "", "", "的值", "的结果", "是多少", "等于多少", "等于几"};
constexpr const char* kChineseStatements[] = {"告诉我{e}是多少", "我想知道{e}等于多少", "{e}",
                                              "{e}，求结果",     "我不会算{e}",         "{e}怎么算"};
constexpr const char* kChineseSignEnds[] = {
    "＝",  "＝？",  "=？",  "=？",   "？",     " =？", "等于",   "等于？",  "是？",     "＝？",
    "=几", "=多少", "＝几", "=几？", "等于几", "得几", "得多少", "=多少？", "，求答案", "，多少"};
constexpr const char* kChineseSpokenEnds[] = {"",       "",   "＝",   "=？",  "=?",  "=",  "等于",
                                              "等于？", "得", "是？", "＝？", "=几", "？", "，求答案"};
constexpr const char* kChineseOpenings[] = {
    "请问",       "请问，",   "请问",   "你好，",     "你好！",   "您好，",     "老师，",       "问一下，",
    "想问一下，", "那么",     "题目：", "小问题：",   "有道题：", "我想知道，", "麻烦问一下，", "数学题：",
    "问题：",     "下一题：", "作业：", "再来一题：", "嗨，",     "帮个忙，",   "问："};
constexpr const char* kChineseTails[] = {"，谢谢", "，谢谢！", "，急", "呢", "呀", "啊"};
constexpr const char* kChineseRemarks[] = {"谢谢！",     "谢谢。",          "谢谢",   "请写出过程。",
                                           "要过程。",   "这是作业题。",    "多谢。", "我数学不好。",
                                           "请仔细算。", "手边没有计算器。"};

std::string with(std::string_view frame, std::string_view phrase) {
  return fill(frame, {{"e", std::string(phrase)}});
}

std::string english_end(Draw& draw, bool is_question) {
  const int64_t at = draw.between(0, 99);
  if (at < 30) return "";
  if (at < 33) return "!";
  if (at < 36) return " ?";
  if (!is_question) return at < 45 ? "?" : ".";
  return at < 40 ? "." : at < 42 ? "??" : "?";
}

/// The calculation alone, with what people write behind it.
std::string english_bare(Draw& draw, std::string_view phrase, Phrase form) {
  const int64_t at = draw.between(0, 99);
  if (form == Phrase::noun) {
    constexpr std::string_view kArticle = "the ";
    if (phrase.starts_with(kArticle) && at < 40) phrase.remove_prefix(kArticle.size());
    return std::string(phrase) + draw.pick(kNounEnds);
  }
  if (at < 7) return std::string(phrase) + draw.pick(kTails);
  if (at < 16) return std::string(phrase) + draw.pick(kAfterwards) + english_end(draw, true);
  return std::string(phrase) + (form == Phrase::signs ? draw.pick(kSignEnds) : draw.pick(kSpokenEnds));
}

/// "34-24 =", "34-24=?", "`34-24`", "３４－２４": signs inside of a sentence.
std::string enclosed(Draw& draw, std::string_view signs) {
  static constexpr const char* forms[] = {"{e}=",  "{e} =", "{e}=?", "{e} = ?", "\"{e}\"",
                                          "'{e}'", "`{e}`", "({e})", "${e}$"};
  if (draw.chance(0.12) && signs.find('x') == std::string_view::npos) return full_width(signs);
  return with(draw.pick(forms), signs);
}

std::string english(Draw& draw, std::string phrase, Phrase form) {
  const int64_t at = draw.between(0, 99);
  const bool is_value = form == Phrase::signs || form == Phrase::spoken;
  const int64_t bare = form == Phrase::signs    ? 28
                       : form == Phrase::spoken ? 22
                       : form == Phrase::noun   ? 14
                                                : 0;
  if (at < bare) return english_bare(draw, phrase, form);
  if (form == Phrase::signs && draw.chance(0.1)) phrase = enclosed(draw, phrase);
  std::string core;
  bool is_question = true;
  const auto helper = [&] {
    const std::string_view text = draw.pick(kHelpers);
    is_question = text.find("you ") != std::string_view::npos && !text.starts_with('I');
    return text;
  };
  if (form == Phrase::question) {
    core = phrase;
  } else if (form == Phrase::request && at < 30) {
    core = with(draw.pick(kResultQuestions), phrase);
  } else if (form == Phrase::request) {
    core = fmt::format("{}{}", helper(), phrase);
  } else if (at < 65) {
    core = with(is_value && draw.chance(0.45) ? draw.pick(kValueQuestions) : draw.pick(kQuestions), phrase);
  } else if (at < 92) {
    const std::string_view verb = draw.pick(kVerbs), gap = is_value ? draw.pick(kGaps) : " ";
    core = fmt::format("{}{}{}{}{}", helper(), verb, gap, is_value && gap == " " ? draw.pick(kObjects) : "",
                       phrase);
  } else {
    core = with(draw.pick(kStatements), phrase);
    is_question = false;
  }
  if (draw.chance(0.12)) core += draw.pick(kTails);
  return core + english_end(draw, is_question);
}

std::string dressed(Draw& draw, std::string core, Phrase form) {
  const bool is_upper = draw.chance(0.55);
  if (is_upper) core[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(core[0])));
  if (draw.chance(0.14)) core = draw.pick(kOpenings) + core;
  const int64_t behind = draw.between(0, 99);
  if (behind < 2) {
    core = fmt::format("{}{}\n{}", draw.chance(0.5) ? "" : "Question: ", core,
                       draw.chance(0.7) ? "Answer:" : "A:");
  } else if (behind < 14) {
    const char last = core.back();
    const bool has_end = last == '.' || last == '?' || last == '!' || last == '=';
    core += has_end ? " " : form == Phrase::signs || draw.chance(0.5) ? ". " : ", ";
    core += draw.pick(kRemarks);
  }
  if (draw.chance(0.02)) {
    for (char& c : core) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return core;
}

std::string chinese_end(Draw& draw, bool is_question) {
  const int64_t at = draw.between(0, 99);
  if (at < 30) return "";
  if (is_question) return at < 92 ? "？" : at < 97 ? "?" : "！";
  return at < 92 ? "。" : at < 96 ? "？" : "！";
}

std::string chinese(Draw& draw, std::string_view phrase, Phrase form) {
  const int64_t at = draw.between(0, 99);
  const bool is_value = form == Phrase::signs || form == Phrase::spoken;
  std::string core, quoted;
  if (form == Phrase::signs && at >= 28 && draw.chance(0.06)) {
    static constexpr const char* forms[] = {"{e}=", "{e}＝", "“{e}”", "{e} ="};
    quoted = with(draw.pick(forms), phrase);
    phrase = quoted;
  }
  if (form == Phrase::signs && at < 28) {
    core = std::string(phrase) + draw.pick(kChineseSignEnds);
  } else if (form == Phrase::spoken && at < 18) {
    core = std::string(phrase) + draw.pick(kChineseSpokenEnds);
  } else if (form == Phrase::question) {
    core = std::string(phrase) + (draw.chance(0.1) ? draw.pick(kChineseTails) : "") + chinese_end(draw, true);
  } else if (form == Phrase::request) {
    static constexpr const char* results[] = {"", "", "", "，得多少", "，结果是多少", "，等于几", "，是多少"};
    const std::string_view result = draw.pick(results);
    core = fmt::format("{}{}{}{}", draw.pick(kChineseHelpers), phrase, result,
                       chinese_end(draw, !result.empty()));
  } else if (at < 68) {
    core = with(draw.pick(kChineseQuestions), phrase);
    if (draw.chance(0.1)) core += draw.pick(kChineseTails);
    core += chinese_end(draw, true);
  } else if (at < 90) {
    const std::string_view object = is_value ? draw.pick(kChineseObjects) : "";
    static constexpr const char* gaps[] = {"", "", "", "", "：", " "};
    core = fmt::format("{}{}{}{}{}{}", draw.pick(kChineseHelpers), draw.pick(kChineseVerbs), draw.pick(gaps),
                       phrase, object, chinese_end(draw, draw.chance(0.3)));
  } else {
    core = with(
        form == Phrase::signs ? kChineseStatements[draw.chance(0.5) ? 0 : 1] : draw.pick(kChineseStatements),
        phrase);
    core += chinese_end(draw, false);
  }
  if (draw.chance(0.16)) core = draw.pick(kChineseOpenings) + core;
  const int64_t behind = draw.between(0, 99);
  if (behind < 2) {
    core += draw.chance(0.5) ? "\n答：" : "\n答案：";
  } else if (behind < 12) {
    static constexpr std::string_view ends[] = {"。", "？", "！", "?"};
    bool has_end = false;
    for (const std::string_view end : ends) has_end = has_end || core.ends_with(end);
    core += has_end ? "" : "，";
    core += draw.pick(kChineseRemarks);
  }
  return core;
}

}  // namespace

std::string ask(Task& task, std::string_view phrase, Phrase form) {
  if (task.is_chinese()) return chinese(task.draw, phrase, form);
  return dressed(task.draw, english(task.draw, std::string(phrase), form), form);
}

}  // namespace r1::tasks
