#include "server/content/search_provider.h"

#include <thread>

#include "base/json_text.h"
#include "server/content/search_index.h"
#include "server/content/site_error.h"
#include "text/unicode.h"

namespace r1::site {
namespace {

using Code = SiteError::Code;

constexpr size_t kMaxQueryBytes = 2000;  // of a question that is sent to the service

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// The beginning of valid UTF-8, cut between characters.
std::string beginning(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes) + "…";
}

std::string text_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? repair_utf8(found->get<std::string>()) : "";
}

}  // namespace

std::string host_of(const std::string& url) {
  const size_t begin = url.find("://");
  if (begin == std::string::npos) return "";
  return url.substr(begin + 3, url.find_first_of("/?#", begin + 3) - begin - 3);
}

std::optional<std::string> IndexProvider::reason_not_ready() {
  if (index_.list().empty()) return "nothing is indexed yet: r1 index add FOLDER";
  return std::nullopt;
}

std::vector<SearchText> IndexProvider::search(const std::string& query, int limit, const Cancelled&) {
  return index_.search(query, limit);
}

SearxngProvider::SearxngProvider(SearxngOptions options, const FileExtractor& extractor)
    : options_(std::move(options)),
      extractor_(extractor),
      service_(options_.service_limits, [](const sockaddr&) { return true; }),
      pages_(options_.page_limits, options_.page_guard) {
  while (options_.address.ends_with('/')) options_.address.pop_back();
}

std::optional<std::string> SearxngProvider::reason_not_ready() {
  if (options_.address.empty()) return "no address configured";
  return std::nullopt;
}

void SearxngProvider::read_page(SearchText& result, const Cancelled& cancelled) const {
  try {
    const FetchedPage page =
        pages_.get(*result.source.url, {"text/*", "application/xhtml+xml", "application/pdf"}, cancelled);
    result.text =
        beginning(extractor_.extract_page(page.url, page.content_type, page.body).text, options_.text_bytes);
  } catch (const std::exception&) {
    result.text.clear();  // its snippet stands for it
  }
}

std::vector<SearchText> SearxngProvider::search(const std::string& query, int limit,
                                                const Cancelled& cancelled) {
  if (const auto reason = reason_not_ready()) refuse(Code::search_failed, "searxng: {}", *reason);
  std::vector<SearchText> results;
  try {
    const FetchedPage answer = service_.get(
        options_.address + "/search?format=json&q=" + percent_encoded(query.substr(0, kMaxQueryBytes)),
        {"application/json"}, cancelled);
    const Json json = parse_json_text<Json>(answer.body);
    for (const Json& item : json.at("results")) {
      if (static_cast<int>(results.size()) == limit) break;
      const std::string url = text_field(item, "url");
      if (!url.starts_with("http://") && !url.starts_with("https://")) continue;
      SearchText result;
      result.source.number = static_cast<int>(results.size()) + 1;
      result.source.title = beginning(text_field(item, "title"), 300);
      result.source.url = url;
      result.source.site = host_of(url);
      result.source.snippet = beginning(text_field(item, "content"), 600);
      if (const std::string date = text_field(item, "publishedDate"); date.size() >= 10) {
        result.source.date = repair_utf8(date.substr(0, 10));
      }
      results.push_back(std::move(result));
    }
  } catch (const Error& error) {
    throw SiteError(Code::search_failed, fmt::format("searxng: {}", error.what()));
  } catch (const Json::exception&) {
    refuse(Code::search_failed, "searxng: {} did not answer with the JSON of a search", options_.address);
  }
  std::vector<std::thread> threads;
  threads.reserve(results.size());
  for (SearchText& result : results)
    threads.emplace_back([this, &result, &cancelled] { read_page(result, cancelled); });
  for (std::thread& thread : threads) thread.join();
  return results;
}

}  // namespace r1::site
