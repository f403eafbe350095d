startChoice();
startHeadline();
startSurvival();
startOverlay();
startBrowser();
startDownloads();
recall();
drawn(find("headline"), drawHeadline);
drawn(find("survival"), drawSurvival);
drawn(find("overlay"), drawOverlay);
tellChoice();
selectRun(state.run);
// A link that is opened in a page that is open already.
addEventListener("hashchange", () => {
  if (!recall()) return;
  changed();
  selectRun(state.run);
});
