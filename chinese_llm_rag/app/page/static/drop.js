// Documents that are dropped or chosen go to the server one after another, as they lie on the disk, folders kept.
"use strict";

(() => {
  const MOST_LISTED = 50;
  let queue = Promise.resolve();

  function zoneOf(event) {
    return event.target instanceof Element ? event.target.closest(".drop-zone") : null;
  }

  function note(zone, text, refused) {
    const list = zone.querySelector(".sent-list");
    const line = document.createElement("div");
    line.textContent = text;
    if (refused) line.className = "refused";
    list.prepend(line);
    while (list.children.length > MOST_LISTED) list.lastChild.remove();
    return line;
  }

  function send(zone, file, name) {
    const texts = JSON.parse(zone.dataset.texts);
    const kb = encodeURIComponent(zone.dataset.kb);
    const path = name.split("/").map(encodeURIComponent).join("/");
    const line = note(zone, texts.sending + name, false);
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("PUT", `/v1/kb/${kb}/uploads/${path}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.onprogress = (at) => {
        if (at.lengthComputable) line.textContent = `${texts.sending}${name} ${Math.round((100 * at.loaded) / at.total)}%`;
      };
      request.onloadend = () => {
        let reason = "";
        try {
          reason = request.status === 202 ? "" : JSON.parse(request.responseText).error.message;
        } catch (error) {
          reason = `HTTP ${request.status}`;
        }
        line.textContent = reason ? `${texts.refused}${name} — ${reason}` : texts.sent + name;
        line.className = reason ? "refused" : "";
        done();
      };
      request.send(file);
    });
  }

  function isWanted(zone, name, several) {
    const last = name.split("/").pop();
    if (last.startsWith(".")) return false;
    const known = zone.dataset.extensions.split(",");
    return !several || known.some((extension) => last.toLowerCase().endsWith(extension));
  }

  function enqueue(zone, files, inFolder) {
    for (const [file, name] of files) {
      if (isWanted(zone, name, inFolder)) queue = queue.then(() => send(zone, file, name));
    }
  }

  function readAll(reader) {
    return new Promise((done, fail) => {
      const found = [];
      const more = () => reader.readEntries((entries) => {
        if (!entries.length) return done(found);
        found.push(...entries);
        more();
      }, fail);
      more();
    });
  }

  async function walk(entry, above, found) {
    if (entry.isFile) {
      const file = await new Promise((done, fail) => entry.file(done, fail));
      found.push([file, above + entry.name]);
    } else if (entry.isDirectory) {
      for (const inner of await readAll(entry.createReader())) await walk(inner, `${above}${entry.name}/`, found);
    }
  }

  document.addEventListener("dragover", (event) => {
    const zone = zoneOf(event);
    event.preventDefault(); // a file dropped beside the zone must not replace the page
    if (zone) zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    const zone = zoneOf(event);
    if (zone && !zone.contains(event.relatedTarget)) zone.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    const zone = zoneOf(event);
    if (!zone) return;
    zone.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
    const plain = [...event.dataTransfer.files];
    if (entries.length && entries.every(Boolean)) {
      for (const entry of entries) {
        const found = [];
        await walk(entry, "", found);
        enqueue(zone, found, entry.isDirectory);
      }
    } else {
      enqueue(zone, plain.map((file) => [file, file.name]), false);
    }
  });

  function choose(zone, folder) {
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.className = "chosen-files";
    input.style.display = "none";
    if (folder) input.webkitdirectory = true;
    input.addEventListener("change", () => {
      enqueue(zone, [...input.files].map((file) => [file, file.webkitRelativePath || file.name]), folder);
      input.remove();
    });
    document.body.append(input);
    input.click();
  }
  document.addEventListener("click", (event) => {
    const zone = zoneOf(event);
    if (!zone) return;
    if (event.target.closest(".choose-files")) choose(zone, false);
    if (event.target.closest(".choose-folder")) choose(zone, true);
  });
})();
