#include "train/data/data_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace r1 {
namespace {

constexpr size_t kAtOnce = 4096;  // samples read before they are rendered, on all threads

void check_format(const DataSample& sample, TrainingStage stage) {
  const auto fits = [&](DataFormat format) { return sample.format == format; };
  std::string expected;
  switch (traits_of(stage).samples) {
    case SampleKind::pairs:
      if (!fits(DataFormat::preference)) expected = "a preference pair (chosen, rejected)";
      break;
    case SampleKind::labelled:
      if (!fits(DataFormat::kto)) expected = "a labelled answer (kto: label or kto_tag)";
      break;
    case SampleKind::text:
      if (!fits(DataFormat::text)) expected = "text";
      break;
    case SampleKind::questions:
    case SampleKind::conversations:
      if (fits(DataFormat::preference) || fits(DataFormat::kto)) expected = "a conversation or text";
      break;
  }
  if (!expected.empty()) {
    throw_error(ErrorKind::bad_file, "{}: expected {}, found the form '{}' (format = … names another)",
                sample.place, expected, name_of(sample.format));
  }
}

/// Whether the sample stays. A cut sample keeps its beginning.
bool fit(TrainingSample& sample, bool is_text, const DataSetOptions& options, DataSet& data) {
  if (is_text && traits_of(options.stage).samples == SampleKind::text) return true;
  bool too_long = false;
  for (TokenSequence* sequence : {&sample.sequence, &sample.rejected}) {
    const auto length = static_cast<int64_t>(sequence->tokens.size());
    if (length <= options.sequence_length) continue;
    if (options.long_samples == LongSamples::refuse) {
      throw_error(
          ErrorKind::context_overflow,
          "{}: {} tokens, expected at most {} (sequence_length; long_samples = drop or cut lets them pass)",
          sample.source, length, options.sequence_length);
    }
    too_long = true;
    sequence->tokens.resize(static_cast<size_t>(options.sequence_length));
    sequence->trained.resize(static_cast<size_t>(options.sequence_length));
  }
  if (!too_long) return true;
  auto has_answer = [](const TokenSequence& sequence_of_sample) {
    return sequence_of_sample.tokens.empty() ||
           std::find(sequence_of_sample.trained.begin(), sequence_of_sample.trained.end(), 1) !=
               sequence_of_sample.trained.end();
  };
  const bool nothing_left =
      !has_answer(sample.sequence) || !has_answer(sample.rejected) ||
      sample.sequence.tokens == sample.rejected.tokens;  // a pair that differed behind the cut
  if (options.long_samples == LongSamples::drop || nothing_left) {
    ++data.dropped;
    return false;
  }
  ++data.cut;
  return true;
}

}  // namespace

void DataSet::recount() {
  tokens = trained_tokens = without_thinking = 0;
  for (const TrainingSample& sample : samples) {
    without_thinking += sample.without_thinking ? 1 : 0;
    for (const TokenSequence* sequence : {&sample.sequence, &sample.rejected}) {
      tokens += static_cast<int64_t>(sequence->tokens.size());
      trained_tokens += std::count(sequence->trained.begin(), sequence->trained.end(), 1);
    }
  }
}

DataSet DataSet::split_off(double share, uint64_t seed) {
  if (!(share >= 0 && share < 1)) {
    throw_error(ErrorKind::invalid_argument, "eval_share: expected 0 or more and less than 1, found {}",
                share);
  }
  DataSet taken;
  taken.sequence_length = sequence_length;
  if (share == 0) return taken;
  // Answers of one conversation stay together: what is evaluated shall not have been seen.
  std::vector<size_t> group;  // [samples]
  size_t groups = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i == 0 || samples[i].source != samples[i - 1].source) ++groups;
    group.push_back(groups - 1);
  }
  if (groups < 2)
    throw_error(ErrorKind::invalid_argument,
                "eval_share: expected 2 samples or documents at least, found {}; eval_data names others",
                groups);
  const auto wanted = std::clamp<size_t>(
      static_cast<size_t>(std::llround(share * static_cast<double>(groups))), 1, groups - 1);
  std::vector<std::pair<uint64_t, size_t>> order;
  for (size_t i = 0; i < groups; ++i) order.emplace_back(random_bits(seed, i), i);
  std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end());
  std::vector<uint8_t> is_taken(groups, 0);
  for (size_t i = 0; i < wanted; ++i) is_taken[order[i].second] = 1;
  std::vector<TrainingSample> kept;
  for (size_t i = 0; i < samples.size(); ++i) {
    (is_taken[group[i]] != 0 ? taken.samples : kept).push_back(std::move(samples[i]));
  }
  samples = std::move(kept);
  recount();
  taken.recount();
  return taken;
}

DataSet load_data_set(const DataSetOptions& options, const SampleRenderer& renderer, ThreadPool& pool,
                      const std::function<void(int64_t)>& progress) {
  if (options.sequence_length < 2) {
    throw_error(ErrorKind::invalid_argument, "sequence_length: expected at least 2, found {}",
                options.sequence_length);
  }
  if (options.files.empty()) throw_error(ErrorKind::invalid_argument, "data: expected a file, found none");
  DataSet data;
  data.sequence_length = options.sequence_length;
  std::vector<DataSample> read;
  std::vector<std::vector<TrainingSample>> rendered;
  int64_t count = 0;
  const auto render = [&] {
    constexpr size_t kPiece = 64;
    rendered.assign(read.size(), {});
    pool.parallel_for(static_cast<int64_t>((read.size() + kPiece - 1) / kPiece), [&](int64_t piece, int) {
      const size_t first = static_cast<size_t>(piece) * kPiece;
      for (size_t i = first; i < std::min(read.size(), first + kPiece); ++i) {
        rendered[i] = renderer.render(read[i], options.turns);
      }
    });
    for (size_t i = 0; i < read.size(); ++i) {
      for (TrainingSample& sample : rendered[i]) {
        if (fit(sample, read[i].format == DataFormat::text, options, data)) {
          data.samples.push_back(std::move(sample));
        }
      }
    }
    count += static_cast<int64_t>(read.size());
    read.clear();
    if (progress) progress(count);
  };
  ReadOptions reading = options.read;
  reading.labels = traits_of(options.stage).samples == SampleKind::labelled;
  for (const std::string& file : options.files) {
    read_data_samples(file, reading, [&](DataSample sample) {
      check_format(sample, options.stage);
      read.push_back(std::move(sample));
      if (read.size() == kAtOnce) render();
    });
  }
  render();
  if (data.samples.empty()) {
    throw_error(ErrorKind::bad_file, "{}: expected at least one sample, found none{}", options.files.front(),
                data.dropped > 0
                    ? fmt::format(" ({} are longer than {} tokens)", data.dropped, options.sequence_length)
                    : "");
  }
  data.recount();
  return data;
}

}  // namespace r1
