#include "grammar/formats.h"

#include <fmt/format.h>

#include <map>

#include "grammar/regex_grammar.h"

namespace r1::grammar {
namespace {

struct Format {
  std::string narrow, wide;  // expressions of the whole text
};

const std::map<std::string, Format, std::less<>>& formats() {
  // RFC 3339 sections 5.6 and appendix A; leap seconds are left out, years begin with 0001.
  static const std::string kYear = "(?!0000)[0-9]{4}";
  static const std::string kLeapYear =
      "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?!0000)(?:[02468][048]|[13579][26])00)";
  static const std::string kDate =
      "(?:" + kLeapYear + "-02-29|" + kYear +
      "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|"
      "[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])))";
  static const std::string kTime =
      "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
  static const std::string kDuration =
      "P(?:[0-9]{1,9}W|(?:[0-9]{1,9}Y(?:[0-9]{1,9}M(?:[0-9]{1,9}D)?)?|[0-9]{1,9}M(?:[0-9]{1,9}D)?|[0-9]{1,9}"
      "D)"
      "(?:T(?:[0-9]{1,9}H(?:[0-9]{1,9}M(?:[0-9]{1,9}S)?)?|[0-9]{1,9}M(?:[0-9]{1,9}S)?|[0-9]{1,9}S))?|"
      "T(?:[0-9]{1,9}H(?:[0-9]{1,9}M(?:[0-9]{1,9}S)?)?|[0-9]{1,9}M(?:[0-9]{1,9}S)?|[0-9]{1,9}S))";
  static const std::string kByte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  static const std::string kIpv4 = kByte + "(?:\\." + kByte + "){3}";
  // RFC 4291 section 2.2.
  static const std::string kIpv6 = [] {
    const std::string h = "[0-9a-fA-F]{1,4}";
    std::string all =
        "(?:" + h + ":){7}" + h + "|(?:" + h + ":){6}" + kIpv4 + "|::(?:" + h + ":){0,5}" + kIpv4;
    for (int before = 0; before <= 7; ++before) {
      const int behind = 7 - before;
      all += '|';
      if (before > 0) all += fmt::format("{0}(?::{0}){{{1}}}", h, before - 1);
      all += "::";
      if (behind > 0) all += fmt::format("(?:{0}(?::{0}){{0,{1}}})?", h, behind - 1);
    }
    return all;
  }();
  // RFC 1123 section 2.1: labels of up to 63, 253 characters in all. The last label is no number (RFC 3696).
  // No label has -- in it, which at the third place marks internationalised names. Up to three long labels or
  // eight shorter ones, so that the whole has at most 253 characters without counting them.
  static const std::string kHost = [] {
    const auto label = [](const std::string& first, int length) {
      return "(?:" + first + "[A-Za-z0-9]{0," + std::to_string(length - 1) + "}|" + first +
             "(?:-?[A-Za-z0-9]){0," + std::to_string((length - 1) / 2) + "})";
    };
    const auto name = [&](int labels, int length) {
      return "(?:" + label("[A-Za-z0-9]", length) + "\\.){0," + std::to_string(labels - 1) + "}" +
             label("[A-Za-z]", length);
    };
    return "(?:" + name(3, 63) + "|" + name(8, 30) + ")";
  }();
  // RFC 3986, appendix A; literal addresses in brackets are left out.
  static const std::string kEncoded = "%[0-9A-Fa-f]{2}";
  static const std::string kPathCharacter = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|" + kEncoded + ")";
  // Names of hosts are not held to their lengths here, which no validator of addresses does.
  static const std::string kName =
      "(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\\.)*[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*";
  static const std::string kAuthority = "(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|" + kEncoded + ")*@)?(?:" + kName +
                                        "|" + kIpv4 + ")(?::[0-9]{1,5})?";
  static const std::string kTail =
      "(?:\\?(?:" + kPathCharacter + "|[/?])*)?(?:#(?:" + kPathCharacter + "|[/?])*)?";
  static const std::string kSlashes = "//" + kAuthority + "(?:/" + kPathCharacter + "*)*";
  static const std::string kUri = "[A-Za-z][A-Za-z0-9+.-]{0,15}:(?:" + kSlashes + "|/?" + kPathCharacter +
                                  "+(?:/" + kPathCharacter + "*)*)" + kTail;
  static const std::string kRelative = "(?:" + kSlashes + "|/(?:" + kPathCharacter + "+(?:/" +
                                       kPathCharacter + "*)*)?|(?:[A-Za-z0-9._~!$&'()*+,;=@-]|" + kEncoded +
                                       ")+(?:/" + kPathCharacter + "*)*)" + kTail;
  // RFC 5321 section 4.5.3.1: 64 characters before the @, 254 in all.
  static const std::string kAtom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]";
  static const std::string kMailLabel = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?";
  static const std::string kEmail = kAtom + "{1,24}(?:\\." + kAtom + "{1,12}){0,3}@(?:" + kMailLabel +
                                    "\\.){1,3}[A-Za-z](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?";
  static const std::string kPointer = "(?:/(?:[^/~]|~[01])*)*";
  // Escapes, classes and groups within groups that not every dialect reads alike are left out.
  static const std::string kRegex = [] {
    const std::string one =
        "(?:[A-Za-z0-9 _,:;@/!%&'\"<>=~.-]|\\\\[dDwWsS.*+?^$(){}|/\\[\\]\\\\]|\\[\\^?[A-Za-z0-9_ .,:;]+\\]|"
        "\\[\\^?(?:a-z|A-Z|0-9|a-zA-Z|a-zA-Z0-9|a-z0-9|A-Z0-9)_?\\])";
    const std::string repeat = "(?:[*+?]|\\{[0-9]{1,2}\\})?";
    const std::string group = "\\((?:\\?:)?(?:" + one + repeat + ")+(?:\\|(?:" + one + repeat + ")+)*\\)";
    const std::string way = "\\^?(?:(?:" + one + "|" + group + ")" + repeat + ")*\\$?";
    return way + "(?:\\|" + way + ")*";
  }();
  static const std::string kAny = "[\\s\\S]*";
  static const std::map<std::string, Format, std::less<>> kFormats = {
      {"date", {kDate, "[0-9]{4}-[0-9]{2}-[0-9]{2}"}},
      {"time", {kTime, "[0-9]{2}:[0-9]{2}:[^A-Ya-y]*"}},
      {"date-time", {kDate + "T" + kTime, "[0-9]{4}-[0-9]{2}-[0-9]{2}[^0-9][\\s\\S]*"}},
      {"duration", {kDuration, "P[\\s\\S]*"}},
      {"uuid",
       {"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        "(?:urn:uuid:)?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"}},
      {"ipv4", {kIpv4, "[0-9.]+"}},
      {"ipv6", {kIpv6, "[\\s\\S]*:[\\s\\S]*"}},
      {"hostname", {kHost, "[A-Za-z0-9_.-]+"}},
      {"idn-hostname", {kHost, kAny}},
      {"email", {kEmail, "[\\s\\S]*@[\\s\\S]*"}},
      {"idn-email", {kEmail, "[\\s\\S]*@[\\s\\S]*"}},
      {"uri", {kUri, "[A-Za-z][A-Za-z0-9+.-]*:[\\s\\S]*"}},
      {"iri", {kUri, "[A-Za-z][A-Za-z0-9+.-]*:[\\s\\S]*"}},
      {"uri-reference", {kUri + "|" + kRelative, kAny}},
      {"iri-reference", {kUri + "|" + kRelative, kAny}},
      {"uri-template",
       {"(?:[A-Za-z0-9._~!$&()*+,;=:@/?#-]|" + kEncoded +
            "|\\{[+#./;?&]?[A-Za-z0-9_]+(?:,[A-Za-z0-9_]+)*\\})*",
        kAny}},
      {"url",
       {"https?://(?:[a-z0-9]+(?:-[a-z0-9]+)*\\.)+[a-z]{2,12}(?::[0-9]{2,5})?(?:(?:/" + kPathCharacter +
            "*)+" + kTail + ")?",
        "[a-zA-Z]+:[\\s\\S]*"}},
      {"json-pointer", {kPointer, "(?:/[\\s\\S]*)?"}},
      {"relative-json-pointer", {"(?:0|[1-9][0-9]*)(?:#|" + kPointer + ")", "[0-9]+[\\s\\S]*"}},
      {"regex", {kRegex, kAny}},
      {"byte", {"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", "[A-Za-z0-9+/=\\s]*"}},
  };
  return kFormats;
}

}  // namespace

bool knows_format(std::string_view name) {
  return formats().contains(name);
}

Automaton format_automaton(std::string_view name, Budget& budget) {
  return regex_automaton(formats().find(name)->second.narrow, false, budget);
}

Automaton wide_format_automaton(std::string_view name, Budget& budget) {
  return regex_automaton(formats().find(name)->second.wide, false, budget);
}

}  // namespace r1::grammar
