// A button beside everything that is meant to be pasted elsewhere.

export function offerCopying(root) {
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button) {
  const text = button.closest(".copyable").querySelector("code").textContent;
  const said = (await written(text)) ? "Copied" : "Press Ctrl+C";
  const usual = button.firstChild.textContent;
  if (usual === said) return;
  if (said !== "Copied") getSelection().selectAllChildren(button.closest(".copyable").querySelector("code"));
  button.firstChild.textContent = said;
  setTimeout(() => { button.firstChild.textContent = usual; }, 1500);
}

async function written(text) {
  try {
    await navigator.clipboard.writeText(text); // absent where the page came neither by https nor from this machine
    return true;
  } catch {
    return false;
  }
}
