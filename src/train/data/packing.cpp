// How samples become batches: the layout of an epoch is computed once, from the seed and the epoch alone.
#include <algorithm>
#include <array>
#include <mutex>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "train/data/data_set.h"

namespace r1 {
namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  return mix_bits(hash ^ value);
}

/// 0 … count-1 in the order of an epoch (Fisher and Yates).
std::vector<int64_t> epoch_order(int64_t count, const BatchOptions& options, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (!options.shuffle) return order;
  const uint64_t stream = random_bits(options.seed, static_cast<uint64_t>(epoch));
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random_bits(stream, i) % i]);
  }
  return order;
}

/// Remembers the layouts of the last epochs asked for.
template <typename Layout>
class LayoutCache {
 public:
  template <typename Make>
  std::shared_ptr<const Layout> get(int64_t epoch, Make&& make) const {
    if (epoch < 0) throw_error(ErrorKind::invalid_argument, "epoch: expected 0 or more, found {}", epoch);
    const std::lock_guard lock(mutex_);
    for (const auto& [known, layout] : entries_) {
      if (layout && known == epoch) return layout;
    }
    auto& entry = entries_[next_++ % entries_.size()];
    entry = {epoch, std::make_shared<const Layout>(make())};
    return entry.second;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::array<std::pair<int64_t, std::shared_ptr<const Layout>>, 2> entries_;
  mutable size_t next_ = 0;
};

uint64_t hash_data(const DataSet& data, TrainingStage stage, const BatchOptions& options) {
  uint64_t hash = mix(static_cast<uint64_t>(stage), static_cast<uint64_t>(data.sequence_length));
  for (const uint64_t value :
       {static_cast<uint64_t>(options.packing), static_cast<uint64_t>(options.rows),
        static_cast<uint64_t>(options.samples), uint64_t{options.shuffle}, options.seed}) {
    hash = mix(hash, value);
  }
  for (const TrainingSample& sample : data.samples) {
    for (const TokenSequence* sequence : {&sample.sequence, &sample.rejected}) {
      hash = mix(hash, sequence->tokens.size());
      for (size_t i = 0; i < sequence->tokens.size(); ++i) {
        hash = mix(hash, static_cast<uint64_t>(sequence->tokens[i]) << 1U | sequence->trained[i]);
      }
    }
    hash = mix(hash, sample.desirable ? 1 : 0);
  }
  return hash;
}

class PackedSource : public BatchSource {
 public:
  PackedSource(std::shared_ptr<const DataSet> data, TrainingStage stage, const BatchOptions& options)
      : data_(std::move(data)), options_(options), fingerprint_(hash_data(*data_, stage, options)) {
    for (const TrainingSample& sample : data_->samples) {
      if (rows_of(sample) > options.rows) {
        throw_error(ErrorKind::invalid_argument, "{}: {} tokens{}, expected at most {} (batch_tokens)",
                    sample.source, rows_of(sample), sample.rejected.tokens.empty() ? "" : " of both answers",
                    options.rows);
      }
    }
  }

  int64_t batches(int64_t epoch) const override { return static_cast<int64_t>(layout(epoch)->size()); }

  TrainingBatch batch(int64_t epoch, int64_t index) const override {
    const auto all = layout(epoch);
    if (index < 0 || index >= static_cast<int64_t>(all->size())) {
      throw_error(ErrorKind::invalid_argument, "batch: expected an index below {}, found {}", all->size(),
                  index);
    }
    TrainingBatch batch;
    for (const int64_t sample : (*all)[static_cast<size_t>(index)]) {
      const TrainingSample& source = data_->samples[static_cast<size_t>(sample)];
      append(batch, source.sequence, sample, source.desirable ? 1 : 0);
      if (!source.rejected.tokens.empty()) append(batch, source.rejected, sample, 0);
    }
    return batch;
  }

  uint64_t fingerprint() const override { return fingerprint_; }

 private:
  using Layout = std::vector<std::vector<int64_t>>;  // the samples of each batch

  static int64_t rows_of(const TrainingSample& sample) {
    return static_cast<int64_t>(sample.sequence.tokens.size() + sample.rejected.tokens.size());
  }

  static void append(TrainingBatch& batch, const TokenSequence& sequence, int64_t sample, double label) {
    const auto rows = static_cast<int64_t>(sequence.tokens.size());
    batch.sequences.push_back({batch.rows(), rows, sample, label});
    for (size_t i = 0; i < sequence.tokens.size(); ++i) {
      batch.tokens.push_back(sequence.tokens[i]);
      const bool counts = i + 1 < sequence.tokens.size() && sequence.trained[i + 1] != 0;
      batch.targets.push_back(counts ? sequence.tokens[i + 1] : -1);
    }
  }

  std::shared_ptr<const Layout> layout(int64_t epoch) const {
    return cache_.get(epoch, [&] { return make_layout(epoch); });
  }

  Layout make_layout(int64_t epoch) const {
    const std::vector<int64_t> order =
        epoch_order(static_cast<int64_t>(data_->samples.size()), options_, epoch);
    Layout layout;
    if (options_.packing == Packing::none) {
      for (size_t i = 0; i < order.size(); ++i) {
        if (i % static_cast<size_t>(options_.samples) == 0) layout.emplace_back();
        layout.back().push_back(order[i]);
      }
      return layout;
    }
    // Only the last batches begun are looked at: the first ones are nearly full anyway.
    const size_t window = options_.packing == Packing::first_fit ? 64 : 1;
    std::vector<int64_t> room;
    for (const int64_t sample : order) {
      const int64_t rows = rows_of(data_->samples[static_cast<size_t>(sample)]);
      size_t at = layout.size() > window ? layout.size() - window : 0;
      while (at < layout.size() && room[at] < rows) ++at;
      if (at == layout.size()) {
        layout.emplace_back();
        room.push_back(options_.rows);
      }
      layout[at].push_back(sample);
      room[at] -= rows;
    }
    return layout;
  }

  std::shared_ptr<const DataSet> data_;
  BatchOptions options_;
  uint64_t fingerprint_;
  LayoutCache<Layout> cache_;
};

/// Raw text: the documents of an epoch end to end, cut into windows.
class WindowSource : public BatchSource {
 public:
  WindowSource(std::shared_ptr<const DataSet> data, const BatchOptions& options)
      : data_(std::move(data)),
        options_(options),
        fingerprint_(hash_data(*data_, TrainingStage::pretrain, options)),
        window_(data_->sequence_length),
        windows_of_batch_(options.packing == Packing::none ? options.samples : options.rows / window_) {
    if (windows_of_batch_ < 1 || window_ > options.rows) {
      throw_error(ErrorKind::invalid_argument,
                  "batch_tokens: expected at least {} (sequence_length), found {}", window_, options.rows);
    }
    for (const TrainingSample& sample : data_->samples) {
      total_ += static_cast<int64_t>(sample.sequence.tokens.size());
    }
    windows_ = total_ / window_ + (total_ % window_ >= 2 ? 1 : 0);  // one token alone predicts nothing
    if (windows_ == 0)
      throw_error(ErrorKind::invalid_argument, "text: expected at least 2 tokens, found {}", total_);
  }

  int64_t batches(int64_t) const override { return (windows_ + windows_of_batch_ - 1) / windows_of_batch_; }

  TrainingBatch batch(int64_t epoch, int64_t index) const override {
    if (index < 0 || index >= batches(epoch)) {
      throw_error(ErrorKind::invalid_argument, "batch: expected an index below {}, found {}", batches(epoch),
                  index);
    }
    const auto layout = cache_.get(epoch, [&] { return make_layout(epoch); });
    TrainingBatch batch;
    const int64_t first = index * windows_of_batch_;
    for (int64_t window = first; window < std::min(windows_, first + windows_of_batch_); ++window) {
      append(batch, *layout, window * window_, std::min(total_, (window + 1) * window_));
    }
    return batch;
  }

  uint64_t fingerprint() const override { return fingerprint_; }

 private:
  struct Layout {
    std::vector<int64_t> order;   // documents
    std::vector<int64_t> starts;  // [documents] first token of each in the epoch's text
  };

  Layout make_layout(int64_t epoch) const {
    Layout layout{epoch_order(static_cast<int64_t>(data_->samples.size()), options_, epoch), {}};
    int64_t at = 0;
    for (const int64_t document : layout.order) {
      layout.starts.push_back(at);
      at += static_cast<int64_t>(data_->samples[static_cast<size_t>(document)].sequence.tokens.size());
    }
    return layout;
  }

  void append(TrainingBatch& batch, const Layout& layout, int64_t begin, int64_t end) const {
    auto at = static_cast<size_t>(std::upper_bound(layout.starts.begin(), layout.starts.end(), begin) -
                                  layout.starts.begin() - 1);
    batch.sequences.push_back({batch.rows(), end - begin, layout.order[at]});
    const size_t first_row = batch.tokens.size();
    int64_t offset = begin - layout.starts[at];
    while (static_cast<int64_t>(batch.tokens.size() - first_row) < end - begin) {
      const std::vector<int32_t>& tokens =
          data_->samples[static_cast<size_t>(layout.order[at])].sequence.tokens;
      const int64_t wanted = end - begin - static_cast<int64_t>(batch.tokens.size() - first_row);
      const int64_t take = std::min(wanted, static_cast<int64_t>(tokens.size()) - offset);
      batch.tokens.insert(batch.tokens.end(), tokens.begin() + offset, tokens.begin() + offset + take);
      offset = 0;
      ++at;
    }
    for (size_t row = first_row; row < batch.tokens.size(); ++row) {
      batch.targets.push_back(row + 1 < batch.tokens.size() ? batch.tokens[row + 1] : -1);
    }
  }

  std::shared_ptr<const DataSet> data_;
  BatchOptions options_;
  uint64_t fingerprint_;
  int64_t window_, windows_of_batch_;
  int64_t total_ = 0, windows_ = 0;
  LayoutCache<Layout> cache_;
};

}  // namespace

std::unique_ptr<BatchSource> make_batches(std::shared_ptr<const DataSet> data, TrainingStage stage,
                                          const BatchOptions& options) {
  if (options.rows < 1 || options.samples < 1) {
    throw_error(ErrorKind::invalid_argument, "batch: expected at least 1 row and 1 sample, found {} and {}",
                options.rows, options.samples);
  }
  if (data->samples.empty())
    throw_error(ErrorKind::invalid_argument, "batches: expected samples, found none");
  if (traits_of(stage).samples == SampleKind::text)
    return std::make_unique<WindowSource>(std::move(data), options);
  return std::make_unique<PackedSource>(std::move(data), stage, options);
}

}  // namespace r1
