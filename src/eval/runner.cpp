#include "eval/runner.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "eval/background_work.h"
#include "eval/run_json.h"

namespace r1::eval {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kProgressInterval = std::chrono::milliseconds(250);
constexpr int64_t kJudgeTokens = 4096;  // of a reply, as Arena-Hard's configuration has it

Sample::End end_of(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::length:
      return Sample::End::length;
    case AnswerEnd::loop:
      return Sample::End::loop;
    case AnswerEnd::error:
    case AnswerEnd::cancelled:
      return Sample::End::error;
    default:
      return Sample::End::stop;
  }
}

class Runner {
 public:
  Runner(const Benchmark& benchmark, RunFolder& folder, Responder& responder, Responder* judge,
         const RunnerOptions& options)
      : benchmark_(benchmark),
        folder_(folder),
        responder_(responder),
        judge_(benchmark.judging == Judging::judge ? judge : nullptr),
        options_(options),
        scores_(folder.items().size()),
        background_(benchmark.judging == Judging::code ? std::max<int64_t>(1, options.grading.threads) : 1) {}

  RunProgress run() {
    take_earlier_answers();
    while (!cancelled()) {
      feed();
      const bool answers = responder_.step();
      const bool judgements = judge_ != nullptr && judge_->step();
      const bool work = background_.finish_some(!answers && !judgements);
      folder_.sync();
      report(false);
      const bool more = next_item_ < folder_.items().size();
      if (!answers && !judgements && !work && !more) break;
    }
    folder_.sync();
    report(true);
    return progress_;
  }

 private:
  /// One sample of a question with its tries so far.
  struct Rollout {
    size_t item = 0;
    int64_t index = 0;
    std::vector<ChatMessage> messages{};
    std::vector<Sample> tries{};
  };

  bool cancelled() const { return options_.cancelled && options_.cancelled(); }
  const Item& item(size_t index) const { return folder_.items()[index]; }

  void take_earlier_answers() {
    progress_.total = static_cast<int64_t>(folder_.items().size()) * options_.samples;
    for (size_t i = 0; i < folder_.items().size(); ++i) {
      for (int64_t sample = 0; sample < options_.samples; ++sample) {
        const Sample* found = folder_.find(item(i), sample);
        if (found == nullptr) continue;
        ++progress_.done;
        judge_or_grade(i, *found, false);
      }
    }
  }

  /// Asks for what is missing until enough is under way.
  void feed() {
    while (next_item_ < folder_.items().size() && under_way_ < options_.in_flight) {
      const size_t number = next_item_++;
      for (int64_t begin = 0; begin < options_.samples;) {
        if (folder_.find(item(number), begin) != nullptr) {
          ++begin;
          continue;
        }
        int64_t end = begin + 1;
        while (end < options_.samples && folder_.find(item(number), end) == nullptr) ++end;
        ask(number, begin, end);
        begin = end;
      }
    }
  }

  /// Samples [begin, end) of a question, in one question to the responder: they share its prompt.
  void ask(size_t number, int64_t begin, int64_t end) {
    Question question = question_for(item(number), item(number).messages, begin);
    question.samples = end - begin;
    under_way_ += question.samples;
    try {
      responder_.ask(question, [this, number, begin](int64_t offset, Generation generation) {
        take(Rollout{number, begin + offset, item(number).messages}, std::move(generation));
      });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::context_overflow) throw;
      for (int64_t index = begin; index < end; ++index) {
        Generation generation;
        generation.end = AnswerEnd::error;
        generation.summary.error = error.what();
        take(Rollout{number, index}, std::move(generation));
      }
    }
  }

  /// About the item's sample `index` and those behind it.
  Question question_for(const Item& item, const std::vector<ChatMessage>& messages, int64_t index) const {
    Question question;
    question.id = item.id;
    question.messages = messages;
    question.options = options_.generation;
    question.options.sampling.seed = sample_seed(options_.generation.sampling.seed, item, index);
    return question;
  }

  void take(Rollout rollout, Generation generation) {
    if (generation.end == AnswerEnd::cancelled) {
      --under_way_;
      return;
    }
    Sample sample = make_sample(item(rollout.item), rollout.index, std::move(generation));
    rollout.tries.push_back(std::move(sample));
    if (benchmark_.next_turn && rollout.tries.back().end != Sample::End::error) {
      look_for_next_turn(std::move(rollout));
    } else {
      finish(std::move(rollout));
    }
  }

  /// Whether there is a further try may depend on tests that run for minutes.
  void look_for_next_turn(Rollout rollout) {
    auto shared = std::make_shared<Rollout>(std::move(rollout));
    background_.add([this, shared]() -> std::function<void()> {
      auto next = std::make_shared<std::optional<ChatMessage>>(
          benchmark_.next_turn(item(shared->item), shared->tries, options_.grading));
      return [this, shared, next] {
        if (*next) {
          ask_again(std::move(*shared), std::move(**next));
        } else {
          finish(std::move(*shared));
        }
      };
    });
  }

  void ask_again(Rollout rollout, ChatMessage message) {
    rollout.messages.push_back({"assistant", rollout.tries.back().answer});
    rollout.messages.push_back(std::move(message));
    const Question question = question_for(item(rollout.item), rollout.messages, rollout.index);
    auto shared = std::make_shared<Rollout>(std::move(rollout));
    try {
      responder_.ask(question, [this, shared](int64_t, Generation generation) {
        take(std::move(*shared), std::move(generation));
      });
    } catch (const Error& error) {  // the tries so far count
      if (error.kind() != ErrorKind::context_overflow) throw;
      finish(std::move(*shared));
    }
  }

  void finish(Rollout rollout) {
    --under_way_;
    Sample sample = std::move(rollout.tries.back());
    rollout.tries.pop_back();
    sample.earlier_tries = std::move(rollout.tries);
    folder_.add(item(rollout.item), sample);
    if (sample.end == Sample::End::error) {
      if (progress_.errors++ == 0 && options_.remark)
        options_.remark(fmt::format("question '{}': {}", sample.item, sample.error));
    }
    ++progress_.done;
    judge_or_grade(rollout.item, sample, true);
  }

  void judge_or_grade(size_t number, const Sample& sample, bool is_new) {
    if (benchmark_.judging == Judging::judge && sample.end != Sample::End::error) {
      if (judge_ != nullptr) ask_judge(number, sample);
    } else if (benchmark_.judging == Judging::code) {
      if (is_new) grade_in_background(number, sample);
    } else {
      add_score(number, sample, grade_sample(benchmark_, item(number), sample, options_.grading));
    }
  }

  void grade_in_background(size_t number, const Sample& sample) {
    background_.add([this, number, sample]() -> std::function<void()> {
      const Verdict verdict = grade_sample(benchmark_, item(number), sample, options_.grading);
      return [this, number, sample, verdict] { add_score(number, sample, verdict); };
    });
  }

  void ask_judge(size_t number, const Sample& sample) {
    struct Judgement {
      Sample sample;
      std::string key;
      std::vector<std::string> replies;
      size_t open = 0;
      bool failed = false;
    };
    const std::vector<std::vector<ChatMessage>> questions = benchmark_.judge_questions(item(number), sample);
    const RunDescription& run = folder_.description();
    auto judgement = std::make_shared<Judgement>();
    judgement->sample = sample;
    judgement->key = judgement_key(run.judge, answer_key(run, item(number), sample.index), questions);
    judgement->replies.resize(questions.size());
    judgement->open = questions.size();
    ++progress_.to_judge;
    const auto judged = [this, number, judgement] {
      ++progress_.judged;
      judgement->sample.judge_replies = judgement->replies;
      add_score(number, judgement->sample,
                grade_sample(benchmark_, item(number), judgement->sample, options_.grading));
    };
    if (const auto* found = folder_.find_judgement(judgement->key)) {
      judgement->replies = *found;
      judged();
      return;
    }
    for (size_t i = 0; i < questions.size(); ++i) {
      Question question;
      question.id = sample.item;
      question.messages = questions[i];
      question.options.sampling.temperature = 0;
      question.options.max_tokens = kJudgeTokens;
      judge_->ask(question, [this, judgement, judged, i](int64_t, Generation reply) {
        judgement->failed |= reply.end == AnswerEnd::error || reply.end == AnswerEnd::cancelled;
        if (reply.end == AnswerEnd::error && progress_.judge_errors++ == 0 && options_.remark)
          options_.remark("judge: " + reply.summary.error);
        judgement->replies[i] = std::move(reply.answer);
        if (--judgement->open > 0 || judgement->failed) return;
        folder_.add_judgement(judgement->sample, judgement->key, judgement->replies);
        judged();
      });
    }
  }

  void add_score(size_t number, const Sample& sample, const Verdict& verdict) {
    scores_[number].push_back(verdict.score);
    ++progress_.graded;
    if (options_.on_graded) options_.on_graded(item(number), sample, verdict);
  }

  void report(bool last) {
    const Clock::time_point now = Clock::now();
    if (!last && now - reported_ < kProgressInterval) return;
    reported_ = now;
    if (progress_.graded > 0) progress_.score = mean_score(scores_);
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const Benchmark& benchmark_;
  RunFolder& folder_;
  Responder& responder_;
  Responder* judge_;
  const RunnerOptions& options_;
  RunProgress progress_;
  std::vector<Scores> scores_;  // by question
  size_t next_item_ = 0;
  int64_t under_way_ = 0;  // answers
  Clock::time_point reported_{};
  BackgroundWork background_;  // last: its jobs use what is above
};

}  // namespace

Sample make_sample(const Item& item, int64_t index, Generation generation) {
  Sample sample;
  sample.item = item.id;
  sample.index = index;
  sample.end = end_of(generation.end);
  sample.in_reasoning = generation.answer.empty() && !generation.reasoning.empty();
  sample.unmarked = generation.unmarked;
  if (generation.end == AnswerEnd::error) sample.error = generation.summary.error;
  sample.tokens = generation.summary.generated_tokens;
  sample.reasoning_tokens = generation.reasoning_tokens;
  const RequestSummary& summary = generation.summary;
  sample.seconds = summary.queue_seconds + summary.prefill_seconds + summary.decode_seconds;
  sample.reasoning = std::move(generation.reasoning);
  sample.answer = std::move(generation.answer);
  return sample;
}

RunProgress run_benchmark(const Benchmark& benchmark, RunFolder& folder, Responder& responder,
                          Responder* judge, const RunnerOptions& options) {
  return Runner(benchmark, folder, responder, judge, options).run();
}

}  // namespace r1::eval
