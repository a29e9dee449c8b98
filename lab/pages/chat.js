// What the chat pages share: a text field that Enter sends, a file field, and a title that tells the driver when the
// answer is complete. A page gives its own `send(text, file)`, which returns the response.

const uuid = () => crypto.randomUUID();
const post = (url, body, headers = {}) =>
  fetch(url, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
const postJson = (url, value, headers) => post(url, JSON.stringify(value), headers);

function chat(send) {
  const text = document.querySelector("textarea");
  const files = document.querySelector("input[type=file]");
  let turns = 0;
  text.addEventListener("keydown", async (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const prompt = text.value;
    text.value = "";
    const response = await send(prompt, files && files.files[0]);
    document.querySelector("output").textContent = await response.text();
    document.title = `done ${++turns}`;
  });
}
