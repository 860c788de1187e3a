// Where the chat site searches: an interface, and the two that there are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/content/extraction.h"
#include "server/content/page_fetcher.h"
#include "server/content/prompts.h"

namespace r1::site {

class SearchIndex;

/// Safe from several threads.
class SearchProvider {
 public:
  virtual ~SearchProvider() = default;
  virtual std::string name() const = 0;
  /// Nothing: it can be asked. Else why not, in one line.
  virtual std::optional<std::string> reason_not_ready() = 0;
  /// Best first, numbered from 1; at most `limit`. Throws SiteError(search_failed).
  /// `cancelled` is asked several times a second, on other threads too; true: ends soon, with that error.
  virtual std::vector<SearchText> search(const std::string& query, int limit, const Cancelled& cancelled) = 0;
};

/// "index": what the user has indexed on this machine.
class IndexProvider : public SearchProvider {
 public:
  explicit IndexProvider(SearchIndex& index) : index_(index) {}
  std::string name() const override { return "index"; }
  std::optional<std::string> reason_not_ready() override;
  std::vector<SearchText> search(const std::string& query, int limit, const Cancelled& cancelled) override;

 private:
  SearchIndex& index_;
};

struct SearxngOptions {
  std::string address;  // "http://127.0.0.1:8888"; the operator's choice, so any address; "": none
  FetchLimits page_limits{int64_t{4} << 20, std::chrono::milliseconds(6'000), 5};
  FetchLimits service_limits{int64_t{8} << 20, std::chrono::milliseconds(10'000), 5};  // of its own answer
  size_t text_bytes = 6000;                     // of each page, for the prompt
  AddressGuard page_guard = is_public_address;  // for the pages that the results name
};

/// "searxng": a SearXNG service (https://docs.searxng.org/dev/search_api.html), which must allow format=json.
/// The pages of the results are fetched at the same time; one that cannot be read is represented by its
/// snippet.
class SearxngProvider : public SearchProvider {
 public:
  SearxngProvider(SearxngOptions options, const FileExtractor& extractor);
  std::string name() const override { return "searxng"; }
  std::optional<std::string> reason_not_ready() override;
  std::vector<SearchText> search(const std::string& query, int limit, const Cancelled& cancelled) override;

 private:
  void read_page(SearchText& result, const Cancelled& cancelled) const;

  SearxngOptions options_;
  const FileExtractor& extractor_;
  PageFetcher service_, pages_;
};

/// The host of an address, "" for none.
std::string host_of(const std::string& url);

}  // namespace r1::site
