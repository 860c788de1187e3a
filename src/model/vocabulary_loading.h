#pragma once
#include "formats/vocabulary.h"  // moved; this name goes when nobody's branch uses it
