/**
 * A stand-in for a language model: answers every chat completion with the same verdict, counts four characters as
 * a token, and takes a third of a second. `npx node docs/examples/llm/endpoint.ts` listens on http://127.0.0.1:8099/v1.
 */
import { createServer } from "node:http";
import { json } from "node:stream/consumers";

interface Chat {
  readonly model: string;
  readonly messages: readonly { readonly content: string }[];
}

const server = createServer(async (request, response) => {
  const { model, messages } = (await json(request)) as Chat;
  const text = messages.map(({ content }) => content).join("\n");
  const isBad = /broke|smells|short|loses|scratched/i.test(text);
  const content = JSON.stringify({ label: isBad ? "bad" : "good", words: text.split(/\s+/).length });
  const [prompt, answer] = [text, content].map(({ length }) => Math.ceil(length / 4));
  const completion = {
    object: "chat.completion",
    model,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: prompt, completion_tokens: answer },
  };
  setTimeout(() => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(completion));
  }, 300);
});
server.listen(8099, "127.0.0.1", () => console.log("http://127.0.0.1:8099/v1"));
