headlineLegend();
drawn(find("headline"), () => drawHeadline(selectRun));
startSurvival();
startBrowser();
