#include "engine/scheduler.h"

#include <algorithm>
#include <stdexcept>

#include "nn/adapter.h"

namespace r1 {
namespace {

constexpr int64_t kTokens = KvCache::kBlockTokens;
// Rows with logits in a pass beyond one a sequence: each needs a vocabulary of floats.
constexpr int64_t kDraftRows = 128;

bool goes_before(const SequencePointer& a, const SequencePointer& b) {
  if (a->request.priority != b->request.priority) return a->request.priority > b->request.priority;
  return a->id < b->id;
}

void insert_ordered(std::vector<SequencePointer>& list, SequencePointer sequence) {
  list.insert(std::upper_bound(list.begin(), list.end(), sequence, goes_before), std::move(sequence));
}

AdapterVersion version_of(const Adapter* adapter) {
  return adapter == nullptr ? nullptr : adapter->version();
}

int64_t uncomputed(const Sequence& sequence) {
  return std::ssize(sequence.tokens) - sequence.computed;
}

}  // namespace

Scheduler::Scheduler(KvCache& cache, const EngineOptions& options)
    : cache_(&cache), options_(options), pool_(cache.blocks()), tree_(pool_, kTokens) {}

int64_t Scheduler::blocks_for(int64_t tokens) const {
  return (tokens + kTokens - 1) / kTokens;
}

void Scheduler::add(SequencePointer sequence) {
  insert_ordered(waiting_, std::move(sequence));
}

void Scheduler::remove(const Sequence& sequence) {
  const auto is_it = [&](const SequencePointer& other) { return other.get() == &sequence; };
  std::erase_if(waiting_, is_it);
  const auto found = std::find_if(running_.begin(), running_.end(), is_it);
  if (found == running_.end()) return;
  release(**found);
  running_.erase(found);
}

void Scheduler::commit(Sequence& sequence) {
  if (!options_.prefix_reuse) return;
  const std::span<const int32_t> tokens = sequence.tokens;
  for (; (sequence.tree_blocks + 1) * kTokens <= sequence.computed; ++sequence.tree_blocks) {
    int32_t& block = sequence.blocks[sequence.tree_blocks];
    block = tree_.append(sequence.tail, tokens.subspan(sequence.tree_blocks * kTokens, kTokens), block);
  }
  // The rest of the prompt, once: other samples of the same question begin there.
  if (!sequence.prompt_tail_in_tree && sequence.computed >= sequence.prompt_tokens) {
    sequence.prompt_tail_in_tree = true;
    const int64_t begin = sequence.tree_blocks * kTokens;
    if (begin < sequence.prompt_tokens) {
      tree_.append_partial(sequence.tail, tokens.subspan(begin, sequence.prompt_tokens - begin),
                           sequence.blocks[sequence.tree_blocks]);
    }
  }
}

void Scheduler::release(Sequence& sequence) {
  if (options_.prefix_reuse && !sequence.blocks.empty()) {
    commit(sequence);
    const int64_t begin = sequence.tree_blocks * kTokens;
    if (begin < sequence.computed) {
      tree_.append_partial(sequence.tail,
                           std::span(sequence.tokens).subspan(begin, sequence.computed - begin),
                           sequence.blocks[sequence.tree_blocks]);
    }
  }
  // Last first: a node's block is never in use while its parent's is not.
  for (auto block = sequence.blocks.rbegin(); block != sequence.blocks.rend(); ++block) tree_.release(*block);
  sequence.blocks.clear();
  sequence.tree_blocks = 0;
  sequence.tail = nullptr;
  sequence.adapter_version.reset();
  sequence.prompt_tail_in_tree = false;
  sequence.computed = 0;
}

void Scheduler::preempt(size_t index) {
  SequencePointer sequence = running_[index];
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  release(*sequence);
  ++sequence->summary.preemptions;
  ++preemptions_;
  insert_ordered(waiting_, std::move(sequence));
}

bool Scheduler::grow(Sequence& sequence, int64_t tokens) {
  while (std::ssize(sequence.blocks) < blocks_for(tokens)) {
    const int32_t block = tree_.allocate();
    if (block < 0) return false;
    sequence.blocks.push_back(block);
  }
  return true;
}

bool Scheduler::try_admit(Sequence& sequence) {
  sequence.adapter_version = version_of(sequence.request.adapter);
  PrefixTree::Node* root = tree_.root(sequence.adapter_version);
  sequence.tail = root;
  PrefixTree::Match match;
  if (options_.prefix_reuse) {
    match = tree_.match(sequence.tokens, root);
    sequence.tail = match.tail;
    sequence.blocks = std::move(match.blocks);
  }
  sequence.tree_blocks = std::ssize(sequence.blocks);
  // Room for all its tokens, and some for those who run to grow, so that it is not preempted at once.
  const int64_t margin = (std::ssize(running_) + 7) / 8;
  const int64_t needed = blocks_for(std::ssize(sequence.tokens)) - std::ssize(sequence.blocks);
  if (needed + margin > tree_.available()) {
    for (auto block = sequence.blocks.rbegin(); block != sequence.blocks.rend(); ++block)
      tree_.release(*block);
    sequence.blocks.clear();
    sequence.tree_blocks = 0;
    sequence.tail = nullptr;
    return false;
  }
  sequence.computed = sequence.tree_blocks * kTokens;
  if (match.partial != nullptr) {
    const int32_t source = match.partial->block;
    const bool whole = match.partial_tokens == std::ssize(match.partial->tokens);
    tree_.retain(source);
    if (whole && pool_.references(source) == 1) {
      sequence.blocks.push_back(source);  // nobody else writes to it: go on in place
      sequence.computed += match.partial_tokens;
    } else {
      const int32_t copy = tree_.allocate();
      if (copy >= 0) {
        cache_->copy_block(source, copy, match.partial_tokens);
        sequence.blocks.push_back(copy);
        sequence.computed += match.partial_tokens;
      }
      tree_.release(source);
    }
  }
  if (!grow(sequence, std::ssize(sequence.tokens)))
    throw std::logic_error("scheduler: counted blocks are gone");
  if (!sequence.has_started) sequence.summary.reused_tokens = sequence.computed;
  return true;
}

bool Scheduler::shares_unfinished_prefix(const Sequence& sequence) const {
  // Sixty-four samples of one question: the others wait until the first has read it.
  if (!options_.prefix_reuse) return false;
  int64_t matched = -1;
  for (const SequencePointer& other : running_) {
    if (uncomputed(*other) <= 1 || other->request.adapter != sequence.request.adapter) continue;
    const size_t limit = std::min(other->tokens.size(), sequence.tokens.size() - 1);
    const int64_t common =
        std::mismatch(other->tokens.begin(), other->tokens.begin() + static_cast<std::ptrdiff_t>(limit),
                      sequence.tokens.begin())
            .first -
        other->tokens.begin();
    if (common < kTokens || other->computed >= common) continue;
    if (matched < 0) {
      matched = tree_.match_length(sequence.tokens, tree_.find_root(version_of(sequence.request.adapter)));
    }
    if (common >= matched + kTokens) return true;
  }
  return false;
}

void Scheduler::admit() {
  for (size_t index = 0; index < waiting_.size() && std::ssize(running_) < options_.sequences;) {
    SequencePointer sequence = waiting_[index];
    if (shares_unfinished_prefix(*sequence)) {
      ++index;
      continue;
    }
    if (!try_admit(*sequence)) return;  // who comes later does not overtake: a long prompt gets its turn
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
    insert_ordered(running_, std::move(sequence));
  }
}

void Scheduler::reserve_decode_rows() {
  // A sequence at its last uncomputed token may need one more block; the last in order pays.
  for (size_t index = 0; index < running_.size(); ++index) {
    Sequence& sequence = *running_[index];
    while (!grow(sequence, std::ssize(sequence.tokens))) {
      const bool itself = index + 1 == running_.size();
      preempt(running_.size() - 1);
      if (itself) return;
    }
  }
}

const std::vector<PlannedSlice>& Scheduler::plan() {
  plan_.clear();
  reserve_decode_rows();
  admit();
  if (running_.empty()) return plan_;

  std::vector<Sequence*> prefilling;
  std::vector<Sequence*> decoding;
  for (const SequencePointer& sequence : running_) {
    (uncomputed(*sequence) > 1 ? prefilling : decoding).push_back(sequence.get());
  }
  int64_t budget = options_.batch_tokens;
  const int64_t kept_for_prefill = prefilling.empty() ? 0 : std::max<int64_t>(1, budget / 8);

  // One row for each that decodes; when they are too many, another begins each time.
  if (std::ssize(decoding) > budget - kept_for_prefill) {
    std::rotate(decoding.begin(), decoding.begin() + static_cast<std::ptrdiff_t>(turn_ % decoding.size()),
                decoding.end());
    decoding.resize(budget - kept_for_prefill);
    turn_ += decoding.size();
  }
  budget -= std::ssize(decoding);

  // Drafts, where they take nothing from the prompts and need no one's memory.
  int64_t drafts = std::min(kDraftRows, prefilling.empty() ? budget : std::max<int64_t>(0, budget / 2));
  for (Sequence* sequence : decoding) {
    sequence->draft.clear();
    const int64_t room = std::min<int64_t>(
        {sequence->request.speculation, drafts, sequence->max_tokens - sequence->generated() - 1});
    if (room > 0) {
      if (sequence->closing >= 0) {  // these are known
        const std::vector<int32_t>& closing = sequence->request.thinking.closing;
        const int64_t count = std::min<int64_t>(room, std::ssize(closing) - sequence->closing);
        sequence->draft.assign(closing.begin() + sequence->closing,
                               closing.begin() + sequence->closing + count);
      } else {
        sequence->draft = sequence->lookup.draft(sequence->tokens, room);
      }
      const int64_t size = std::ssize(sequence->tokens);
      if (!grow(*sequence, size + std::ssize(sequence->draft))) {
        sequence->draft.resize(std::ssize(sequence->blocks) * kTokens - size);
      }
    }
    const int64_t drafted = std::ssize(sequence->draft);
    drafts -= drafted;
    budget -= drafted;
    plan_.push_back({sequence, 1 + drafted, 1 + drafted});
  }

  // Prompts share the rest: half for the first in order, the others in order, what is left for the first.
  if (prefilling.empty()) return plan_;
  std::vector<int64_t> rows(prefilling.size(), 0);
  const auto give = [&](size_t index, int64_t limit) {
    const int64_t taken = std::min({limit, budget, uncomputed(*prefilling[index]) - rows[index]});
    rows[index] += taken;
    budget -= taken;
  };
  give(0, (budget + 1) / 2);
  for (size_t index = 1; index < prefilling.size(); ++index) give(index, budget);
  give(0, budget);
  for (size_t index = 0; index < prefilling.size(); ++index) {
    if (rows[index] == 0) continue;
    prefilling[index]->draft.clear();
    plan_.push_back({prefilling[index], rows[index], rows[index] == uncomputed(*prefilling[index]) ? 1 : 0});
  }
  return plan_;
}

void Scheduler::check_integrity() const {
  std::vector<int32_t> references(pool_.total(), 0);
  for (const SequencePointer& sequence : running_) {
    for (int32_t block : sequence->blocks) ++references[block];
    if (sequence->computed > std::ssize(sequence->blocks) * kTokens) {
      throw std::logic_error("scheduler: computed tokens without a block");
    }
  }
  for (const SequencePointer& sequence : waiting_) {
    if (!sequence->blocks.empty() || sequence->computed != 0) {
      throw std::logic_error("scheduler: a waiting sequence holds memory");
    }
  }
  pool_.check_integrity(references);
  tree_.check_integrity();
}

}  // namespace r1
