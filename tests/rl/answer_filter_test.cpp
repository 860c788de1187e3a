#include "rl/answer_filter.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace r1::rl {
namespace {

constexpr const char* kThought = "twelve plus thirty makes forty two";

class AnswerFilterTest : public ::testing::Test {
 protected:
  AnswerFilterTest() {
    question_.text = "12+30?";
    question_.expected = "42";
    question_.language = "en";
  }

  Answer answer_of(std::string reasoning, std::string answer) const {
    Answer made;
    made.question = &question_;
    made.reasoning = std::move(reasoning);
    made.answer = std::move(answer);
    made.finished = true;
    made.tokens = 20;
    return made;
  }
  Answer good(int number = 0) const {
    return answer_of(kThought + std::string(number, '!'), "It is \\boxed{42}.");
  }
  static AnswerFate fate(const Answer& answer, const AnswerFilterOptions& options = {}) {
    return filter_answers(std::span(&answer, 1), options).front();
  }

  Question question_;
};

TEST_F(AnswerFilterTest, EachFilterDropsWhatItIsThereFor) {
  EXPECT_EQ(fate(good()), AnswerFate::kept);
  EXPECT_EQ(fate(answer_of(kThought, "It is \\boxed{41}.")), AnswerFate::wrong);
  EXPECT_EQ(fate(answer_of(kThought, "It is 42.")), AnswerFate::format);
  EXPECT_EQ(fate(answer_of("", "It is \\boxed{42}.")), AnswerFate::format);
  EXPECT_EQ(fate(answer_of("twelve plus thirty 等于四十二", "It is \\boxed{42}.")), AnswerFate::language);
  EXPECT_EQ(fate(answer_of("so it is so it is so it is so it is so it is", "\\boxed{42}")),
            AnswerFate::repetition);
  Answer cut = good();
  cut.finished = false;
  EXPECT_EQ(fate(cut), AnswerFate::unfinished);
}

TEST_F(AnswerFilterTest, AFilterThatIsOffDropsNothing) {
  AnswerFilterOptions off;
  off.right = off.format = false;
  off.language = 0;
  off.repetition = 1;
  EXPECT_EQ(fate(answer_of("等于 so so so so so so so", "no box"), off), AnswerFate::kept);
}

TEST_F(AnswerFilterTest, LengthsHaveTwoEnds) {
  AnswerFilterOptions options;
  options.shortest = 20;
  options.longest = 20;
  EXPECT_EQ(fate(good(), options), AnswerFate::kept);
  Answer other = good();
  other.tokens = 19;
  EXPECT_EQ(fate(other, options), AnswerFate::length);
  other.tokens = 21;
  EXPECT_EQ(fate(other, options), AnswerFate::length);
}

TEST_F(AnswerFilterTest, EqualAnswersAreKeptOnceWhateverTheirWhiteSpace) {
  Question other = question_;
  other.text = "30+12?";
  std::vector<Answer> answers{good(), good(1), good()};
  answers[2].reasoning = "twelve plus thirty\n makes forty two";
  answers.push_back(good());
  answers.back().question = &other;
  AnswerFilterOptions options;
  EXPECT_EQ(filter_answers(answers, options),
            (std::vector{AnswerFate::kept, AnswerFate::kept, AnswerFate::duplicate, AnswerFate::kept}));
  options.distinct = false;
  EXPECT_EQ(filter_answers(answers, options)[2], AnswerFate::kept);
}

TEST_F(AnswerFilterTest, OfEachQuestionTheFirstGoodAnswersAreKept) {
  std::vector<Answer> answers{good(1), answer_of(kThought, "\\boxed{1}"), good(2), good(3), good(4)};
  answers.back().group = 1;
  AnswerFilterOptions options;
  options.per_question = 2;
  EXPECT_EQ(filter_answers(answers, options),
            (std::vector{AnswerFate::kept, AnswerFate::wrong, AnswerFate::kept, AnswerFate::surplus,
                         AnswerFate::kept}));
}

TEST_F(AnswerFilterTest, OptionsOutOfRangeAreRefused) {
  AnswerFilterOptions options;
  options.language = 1.5;
  EXPECT_THROW(filter_answers({}, options), Error);
  options = {};
  options.repetition = -0.1;
  EXPECT_THROW(filter_answers({}, options), Error);
  options = {};
  options.shortest = 5;
  options.longest = 4;
  EXPECT_THROW(filter_answers({}, options), Error);
}

}  // namespace
}  // namespace r1::rl
