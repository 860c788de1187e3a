// The chat site's import: any bytes are conversations or one refusal of one line. What was taken is written
// out again as a document that another owner can take, and theirs is the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/content/conversation_store.h"
#include "server/content/site_error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using r1::site::ConversationStore;
  static ConversationStore store(":memory:", [] { return std::int64_t{1}; });
  const std::string_view document(reinterpret_cast<const char*>(data), size);
  try {
    store.import("first", document);
  } catch (const r1::site::SiteError& error) {
    if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    return 0;
  }
  const std::string exported = store.export_part("first").document;
  store.import("second", exported);
  if (store.export_part("second").document != exported) std::abort();
  for (const r1::site::Json& conversation : r1::site::Json::parse(exported)["conversations"])
    store.export_markdown("first", conversation["id"].get<std::string>());
  store.remove_all("first");
  store.remove_all("second");
  return 0;
}
