// What a pass computes: rows dealt to owners, then to their sequences.
#include <algorithm>

#include "engine/scheduler.h"

namespace r1 {
namespace {

// Rows with logits in a pass beyond one a sequence: each needs a vocabulary of floats.
constexpr int64_t kMaxDraftRows = 128;

}  // namespace

int64_t Scheduler::Share::demand() const {
  int64_t result = std::ssize(decoding);
  for (const Sequence* sequence : prefilling) result += sequence->uncomputed();
  return result;
}

std::vector<Scheduler::Share> Scheduler::gather_shares() const {
  std::vector<Share> shares;
  std::unordered_map<uint64_t, size_t> index_of;
  for (const SequencePointer& sequence : running_) {
    const uint64_t owner = sequence->request.owner;
    const auto [entry, is_new] = index_of.try_emplace(owner, shares.size());
    if (is_new) shares.emplace_back().owner = owner;
    Share& share = shares[entry->second];
    (sequence->uncomputed() > 1 ? share.prefilling : share.decoding).push_back(sequence.get());
  }
  return shares;
}

/// Equal shares of the pass, none larger than what its owner can use; what is left over is for drafts. While
/// another owner decodes, a share is bounded: the pass must not take much longer than that owner's alone.
void Scheduler::deal_rows(std::vector<Share>& shares) {
  int64_t left = options_.batch_tokens;
  if (shares.size() == 1) {
    shares.front().rows = left;
    return;
  }
  // More owners than rows: another one begins each time.
  const auto first_owner = static_cast<std::ptrdiff_t>(owner_turn_ % shares.size());
  std::rotate(shares.begin(), shares.begin() + first_owner, shares.end());
  const int64_t served = std::min<int64_t>(std::ssize(shares), left);
  if (served < std::ssize(shares)) owner_turn_ += static_cast<uint64_t>(served);
  shares.resize(served);

  const auto decoding_owners =
      std::ranges::count_if(shares, [](const Share& share) { return !share.decoding.empty(); });
  const auto bound = [&](const Share& share) {
    const bool others_decode = decoding_owners > (share.decoding.empty() ? 0 : 1);
    return others_decode ? std::min(options_.owner_tokens, options_.batch_tokens) : options_.batch_tokens;
  };
  const auto useful = [&](const Share& share) { return std::min(bound(share), share.demand()); };
  std::ranges::stable_sort(shares, {}, useful);
  for (size_t index = 0; index < shares.size(); ++index) {
    const int64_t owners_left = std::ssize(shares) - static_cast<int64_t>(index);
    shares[index].rows = std::min(useful(shares[index]), left / owners_left);
    left -= shares[index].rows;
  }
  for (Share& share : shares) {
    const int64_t spare = std::min(left, bound(share) - share.rows);
    share.rows += spare;
    left -= spare;
  }
}

void Scheduler::pack_drafts(Sequence& sequence, int64_t limit) {
  sequence.draft.clear();
  const int64_t room = std::min<int64_t>(
      {sequence.request.speculation, limit, sequence.max_tokens - sequence.generated() - 1});
  if (room <= 0) return;
  if (sequence.closing >= 0) {  // these are known
    const std::vector<int32_t>& closing = sequence.request.thinking.closing;
    const int64_t count = std::min<int64_t>(room, std::ssize(closing) - sequence.closing);
    sequence.draft.assign(closing.begin() + sequence.closing, closing.begin() + sequence.closing + count);
  } else {
    sequence.draft = sequence.lookup.draft(sequence.tokens, room);
  }
  const int64_t size = std::ssize(sequence.tokens);
  if (!grow(sequence, size + std::ssize(sequence.draft))) {
    sequence.draft.resize(std::ssize(sequence.blocks) * KvCache::kBlockTokens - size);
  }
}

/// One row for each that decodes, and drafts where they take nothing from the prompts and need no one's
/// memory. Takes what it uses off share.rows.
void Scheduler::pack_decode_rows(Share& share, int64_t& draft_rows) {
  std::vector<Sequence*>& decoding = share.decoding;
  uint64_t& turn = decode_turns_[share.owner];
  int64_t kept_for_prompts = share.prefilling.empty() ? 0 : std::max<int64_t>(1, share.rows / 8);
  if (share.rows == 1 && kept_for_prompts == 1) kept_for_prompts = static_cast<int64_t>(turn++ % 2);
  const int64_t rows = share.rows - kept_for_prompts;
  if (std::ssize(decoding) > rows) {  // too many: another one begins each time
    const auto first = static_cast<std::ptrdiff_t>(turn % decoding.size());
    std::rotate(decoding.begin(), decoding.begin() + first, decoding.end());
    decoding.resize(rows);
    turn += decoding.size();
  }
  share.rows -= std::ssize(decoding);

  int64_t drafts = std::min(draft_rows, share.prefilling.empty() ? share.rows : share.rows / 2);
  for (Sequence* sequence : decoding) {
    pack_drafts(*sequence, drafts);
    const int64_t drafted = std::ssize(sequence->draft);
    drafts -= drafted;
    draft_rows -= drafted;
    share.rows -= drafted;
    plan_.push_back({sequence, 1 + drafted, 1 + drafted});
  }
}

/// Prompts share the rest: half for the first in order, the others in order, what is left for the first.
void Scheduler::pack_prompts(Share& share) {
  const std::vector<Sequence*>& prefilling = share.prefilling;
  if (prefilling.empty()) return;
  std::vector<int64_t> rows(prefilling.size(), 0);
  const auto give = [&](size_t index, int64_t limit) {
    const int64_t taken = std::min({limit, share.rows, prefilling[index]->uncomputed() - rows[index]});
    rows[index] += taken;
    share.rows -= taken;
  };
  give(0, (share.rows + 1) / 2);
  for (size_t index = 1; index < prefilling.size(); ++index) give(index, share.rows);
  give(0, share.rows);
  for (size_t index = 0; index < prefilling.size(); ++index) {
    if (rows[index] == 0) continue;
    prefilling[index]->draft.clear();
    const bool whole = rows[index] == prefilling[index]->uncomputed();
    plan_.push_back({prefilling[index], rows[index], whole ? 1 : 0});
  }
}

void Scheduler::pack() {
  std::vector<Share> shares = gather_shares();
  deal_rows(shares);
  int64_t draft_rows = kMaxDraftRows;
  for (Share& share : shares) pack_decode_rows(share, draft_rows);
  for (Share& share : shares) pack_prompts(share);
}

}  // namespace r1
