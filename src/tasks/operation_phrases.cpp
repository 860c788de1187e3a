#include "tasks/operation_phrases.h"

#include <iterator>

namespace r1::tasks {
namespace {

struct Wording {
  char operation;
  Phrase form;
  const char* text;
  bool needs_order = false;  // the first number is not below the second
};

constexpr Phrase kNoun = Phrase::noun, kRequest = Phrase::request, kQuestion = Phrase::question;

constexpr Wording kEnglish[] = {
    {'+', kNoun, "the sum of {a} and {b}"},
    {'+', kNoun, "the sum of {a} and {b}"},
    {'+', kNoun, "the total of {a} and {b}"},
    {'+', kNoun, "{a} added to {b}"},
    {'+', kNoun, "{a} and {b} together"},
    {'+', kNoun, "{a} and {b} added together"},
    {'+', kNoun, "{a} more than {b}"},
    {'+', kNoun, "{a} increased by {b}"},
    {'+', kNoun, "{a} and {b} combined"},
    {'+', kRequest, "add {a} and {b}"},
    {'+', kRequest, "add {a} and {b}"},
    {'+', kRequest, "add {a} to {b}"},
    {'+', kRequest, "add up {a} and {b}"},
    {'+', kRequest, "add {a} and {b} together"},
    {'+', kRequest, "sum {a} and {b}"},
    {'+', kRequest, "put {a} and {b} together"},
    {'+', kRequest, "increase {a} by {b}"},
    {'+', kRequest, "start with {a} and add {b}"},
    {'+', kQuestion, "what do {a} and {b} make"},
    {'+', kQuestion, "how much are {a} and {b} together"},
    {'+', kQuestion, "what do you get when you add {a} and {b}"},
    {'+', kQuestion, "what do I get if I add {a} to {b}"},
    {'+', kQuestion, "what do {a} and {b} add up to"},
    {'+', kQuestion, "which number is {a} more than {b}"},
    {'-', kNoun, "the difference between {a} and {b}", true},
    {'-', kNoun, "the difference between {a} and {b}", true},
    {'-', kNoun, "the difference between {b} and {a}", true},
    {'-', kNoun, "the difference of {a} and {b}", true},
    {'-', kNoun, "the difference of {b} and {a}", true},
    {'-', kNoun, "{b} less than {a}"},
    {'-', kNoun, "{b} subtracted from {a}"},
    {'-', kNoun, "{a} reduced by {b}"},
    {'-', kNoun, "{a} decreased by {b}"},
    {'-', kNoun, "{b} taken away from {a}"},
    {'-', kNoun, "{b} from {a}"},
    {'-', kNoun, "{a} without {b}", true},
    {'-', kRequest, "subtract {b} from {a}"},
    {'-', kRequest, "subtract {b} from {a}"},
    {'-', kRequest, "subtract {b} from {a}"},
    {'-', kRequest, "take {b} away from {a}"},
    {'-', kRequest, "take away {b} from {a}"},
    {'-', kRequest, "take {b} from {a}"},
    {'-', kRequest, "deduct {b} from {a}"},
    {'-', kRequest, "remove {b} from {a}", true},
    {'-', kRequest, "reduce {a} by {b}"},
    {'-', kRequest, "decrease {a} by {b}"},
    {'-', kRequest, "start with {a} and take away {b}"},
    {'-', kQuestion, "how much more is {a} than {b}", true},
    {'-', kQuestion, "how much larger is {a} than {b}", true},
    {'-', kQuestion, "how much bigger is {a} than {b}", true},
    {'-', kQuestion, "how much less is {b} than {a}", true},
    {'-', kQuestion, "how much smaller is {b} than {a}", true},
    {'-', kQuestion, "by how much is {a} greater than {b}", true},
    {'-', kQuestion, "how far apart are {a} and {b}", true},
    {'-', kQuestion, "how far is it from {b} to {a}", true},
    {'-', kQuestion, "what is left if I take {b} from {a}", true},
    {'-', kQuestion, "what is left when you take {b} away from {a}", true},
    {'-', kQuestion, "what do you get when you subtract {b} from {a}"},
    {'-', kQuestion, "what remains if {b} is subtracted from {a}"},
    {'-', kQuestion, "what must I add to {b} to get {a}", true},
    {'-', kQuestion, "which number is {b} less than {a}"},
    {'*', kNoun, "the product of {a} and {b}"},
    {'*', kNoun, "the product of {a} and {b}"},
    {'*', kNoun, "{a} multiplied by {b}"},
    {'*', kNoun, "{a} lots of {b}"},
    {'*', kRequest, "multiply {a} by {b}"},
    {'*', kRequest, "multiply {a} by {b}"},
    {'*', kRequest, "multiply {a} and {b}"},
    {'*', kRequest, "multiply {a} with {b}"},
    {'*', kQuestion, "what do you get when you multiply {a} by {b}"},
    {'*', kQuestion, "what do {a} and {b} multiply to"},
    {'/', kNoun, "the quotient of {a} and {b}"},
    {'/', kNoun, "{a} divided by {b}"},
    {'/', kRequest, "divide {a} by {b}"},
    {'/', kRequest, "divide {a} by {b}"},
    {'/', kRequest, "split {a} into {b} equal parts"},
    {'/', kQuestion, "how many times does {b} go into {a}"},
    {'/', kQuestion, "how often does {b} fit into {a}"},
    {'/', kQuestion, "what do you get when you divide {a} by {b}"},
};

constexpr Wording kChinese[] = {
    {'+', kNoun, "{a}与{b}的和"},
    {'+', kNoun, "{a}和{b}的和"},
    {'+', kNoun, "{a}跟{b}相加"},
    {'+', kNoun, "{a}和{b}加起来"},
    {'+', kNoun, "{a}加{b}的和"},
    {'+', kRequest, "把{a}和{b}加起来"},
    {'+', kRequest, "把{a}加上{b}"},
    {'+', kRequest, "将{a}与{b}相加"},
    {'+', kQuestion, "{a}与{b}的和是多少"},
    {'+', kQuestion, "{a}和{b}一共是多少"},
    {'+', kQuestion, "{a}和{b}加在一起是多少"},
    {'+', kQuestion, "{a}和{b}合起来是多少"},
    {'+', kQuestion, "比{a}多{b}的数是多少"},
    {'+', kQuestion, "比{a}大{b}的数是几"},
    {'+', kQuestion, "{a}增加{b}是多少"},
    {'-', kNoun, "{a}与{b}的差", true},
    {'-', kNoun, "{a}和{b}的差", true},
    {'-', kNoun, "{a}减{b}的差", true},
    {'-', kNoun, "从{a}里减去{b}"},
    {'-', kNoun, "从{a}中减去{b}"},
    {'-', kRequest, "用{a}减去{b}"},
    {'-', kRequest, "把{a}减去{b}"},
    {'-', kRequest, "从{a}里减去{b}"},
    {'-', kRequest, "从{a}中减掉{b}"},
    {'-', kQuestion, "{a}与{b}的差是多少", true},
    {'-', kQuestion, "{a}和{b}的差是几", true},
    {'-', kQuestion, "{a}比{b}多多少", true},
    {'-', kQuestion, "{a}比{b}大多少", true},
    {'-', kQuestion, "{b}比{a}少多少", true},
    {'-', kQuestion, "{b}比{a}小多少", true},
    {'-', kQuestion, "{a}和{b}相差多少", true},
    {'-', kQuestion, "{b}和{a}相差多少", true},
    {'-', kQuestion, "{a}与{b}相差几", true},
    {'-', kQuestion, "{a}去掉{b}还剩多少", true},
    {'-', kQuestion, "{a}里拿走{b}还剩几", true},
    {'-', kQuestion, "比{a}少{b}的数是多少"},
    {'-', kQuestion, "比{a}小{b}的数是几"},
    {'-', kQuestion, "{b}加多少等于{a}", true},
    {'-', kQuestion, "{a}减少{b}是多少"},
    {'*', kNoun, "{a}与{b}的积"},
    {'*', kNoun, "{a}和{b}的乘积"},
    {'*', kNoun, "{a}和{b}相乘"},
    {'*', kRequest, "用{a}乘以{b}"},
    {'*', kRequest, "把{a}和{b}相乘"},
    {'*', kQuestion, "{a}与{b}的积是多少"},
    {'*', kQuestion, "{a}的{b}倍是多少"},
    {'*', kQuestion, "{a}个{b}是多少"},
    {'*', kQuestion, "{a}个{b}相加是多少"},
    {'/', kNoun, "{a}除以{b}的商"},
    {'/', kNoun, "{a}与{b}的商"},
    {'/', kRequest, "用{a}除以{b}"},
    {'/', kQuestion, "{a}除以{b}的商是多少"},
    {'/', kQuestion, "{a}里面有几个{b}"},
    {'/', kQuestion, "{a}是{b}的多少倍"},
    {'/', kQuestion, "把{a}平均分成{b}份，每份是多少"},
};

template <typename List>
const Wording& draw_wording(Draw& draw, const List& list, char operation, bool is_ordered) {
  for (;;) {
    const Wording& wording = draw.pick(list);
    if (wording.operation == operation && (is_ordered || !wording.needs_order)) return wording;
  }
}

}  // namespace

OperationPhrase draw_operation_phrase(Task& task, char operation, int64_t a, int64_t b,
                                      const NumberWriter& write) {
  const Wording& wording = task.is_chinese() ? draw_wording(task.draw, kChinese, operation, a >= b)
                                             : draw_wording(task.draw, kEnglish, operation, a >= b);
  return {fill(wording.text, {{"a", write(a)}, {"b", write(b)}}), wording.form};
}

}  // namespace r1::tasks
