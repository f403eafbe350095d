startChoice();
startHeadline();
startSurvival();
startOverlay();
startBrowser();
startSignals();
startDownloads();
recall();
drawn(find("headline"), drawHeadline);
drawn(find("survival"), drawSurvival);
drawn(find("overlay"), drawOverlay);
data.signals.forEach((_, index) => drawn(find(`signal-${index}`), () => drawSignal(index)));
tellChoice();
selectRun(state.run);
// A link that is opened in a page that is open already.
addEventListener("hashchange", () => {
  if (!recall()) return;
  changed();
  selectRun(state.run);
}, { signal: over.signal });
// The next state of the page finds the view in the address, the run in any case.
leaving.push({
  busy: () => state.playing !== null,
  leave: () => {
    stop();
    clearTimeout(writing);
    state.pinned = true;
    history.replaceState(null, "", written());
  },
});
