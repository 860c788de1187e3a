// What the tests of several clients share.

export const model = "tiny";
export const messages = [{ role: "user", content: "hi" }];

export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("no error was raised");
}

export const weather = {
  type: "function",
  function: {
    name: "weather",
    parameters: {
      type: "object", properties: { city: { type: "string", maxLength: 8 }, days: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["city", "days"], additionalProperties: false,
    },
  },
};
